"""``leadbus unrouted``: raw messages that no queue was bound for."""

from __future__ import annotations

import typer

from leadbus_cli import acts
from leadbus_cli.acts import BatchSize, Manner, Rate, Yes
from leadbus_cli.api import ServiceApi
from leadbus_cli.commands.holding import All, HeldId, Ids, Reveal, Why, list_messages, picked, show_message
from leadbus_cli.deployment import Deployment
from leadbus_cli.output import Json, Limit

app = typer.Typer(help="Raw messages that no queue was bound for.", no_args_is_help=True)


@app.command("list")
def list_(limit: Limit = 50, as_json: Json = False) -> None:
    """Messages, the oldest first."""
    list_messages(_ingest(), "unrouted", limit=limit, as_json=as_json)


@app.command("show")
def show(held_id: HeldId, reveal: Reveal = False, as_json: Json = False) -> None:
    """What a message is and where it was sent."""
    show_message(_ingest(), "unrouted", held_id, reveal=reveal, as_json=as_json)


@app.command("redrive")
def redrive(
    ids: Ids = None,
    every: All = False,
    batch_size: BatchSize = 50,
    rate: Rate = 50.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Publish messages again, to the same exchange under the same key. What still goes nowhere stays."""
    filter_ = picked(ids or [], every=every)
    manner = Manner(batch_size, rate, yes=yes, as_json=as_json)
    acts.plan_and_run(_ingest(), "unrouted.redrive", filter_, manner)


@app.command("discard")
def discard(
    reason: Why,
    ids: Ids = None,
    every: All = False,
    batch_size: BatchSize = 50,
    rate: Rate = 50.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Give messages up for good. Their bytes are gone; ids, size, digest and reason stay on record."""
    filter_ = picked(ids or [], every=every)
    manner = Manner(batch_size, rate, yes=yes, as_json=as_json)
    acts.plan_and_run(_ingest(), "unrouted.discard", filter_, manner, reason)


def _ingest() -> ServiceApi:
    return Deployment.find().service("ingest")
