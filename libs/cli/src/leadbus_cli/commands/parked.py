"""``leadbus parked``: messages that a service could not even store."""

from __future__ import annotations

from typing import Annotated

import typer

from leadbus_cli import acts
from leadbus_cli.acts import BatchSize, Rate, Yes
from leadbus_cli.api import ServiceApi
from leadbus_cli.commands.holding import All, HeldId, Ids, Reveal, Why, list_messages, plan_of, show_message
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.output import Json, Limit, listing

app = typer.Typer(help="Messages that a service could not even store.", no_args_is_help=True)

Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="As consumed from, such as normalizer.raw.")]
_SUFFIX = ".parked"


@app.command("list")
def list_(
    queue: Annotated[
        str | None, typer.Option("--queue", help="Its messages, such as of adf-mailer.leads.")
    ] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """The parked queues and how much lies in each; with --queue the messages of one, the oldest first."""
    if queue is None:
        listing(_queues(), ("service", "queue", "messages"), as_json=as_json)
        return
    service, name = _owner(queue)
    list_messages(service, "parked", name, limit=limit, as_json=as_json)


@app.command("show")
def show(queue: Queue, held_id: HeldId, reveal: Reveal = False, as_json: Json = False) -> None:
    """Who a message is and why it lies there."""
    service, name = _owner(queue)
    show_message(service, "parked", name, held_id, reveal=reveal, as_json=as_json)


@app.command("redrive")
def redrive(
    queue: Queue,
    ids: Ids = None,
    every: All = False,
    batch_size: BatchSize = 50,
    rate: Rate = 50.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Have them handled again, as if they came now. What fails again stays where it is."""
    service, name = _owner(queue)
    filter_ = {"queue": name, **acts.picked(ids or [], every=every)}
    body = plan_of("parked.redrive", filter_, batch_size, rate, None)
    acts.plan_and_run(service, body, yes=yes, as_json=as_json)


@app.command("discard")
def discard(
    queue: Queue,
    reason: Why,
    ids: Ids = None,
    every: All = False,
    batch_size: BatchSize = 50,
    rate: Rate = 50.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Give them up for good: their bytes are gone, who they were stays on record."""
    service, name = _owner(queue)
    filter_ = {"queue": name, **acts.picked(ids or [], every=every)}
    body = plan_of("parked.discard", filter_, batch_size, rate, reason)
    acts.plan_and_run(service, body, yes=yes, as_json=as_json)


def _queues() -> list[dict[str, object]]:
    return [
        {"service": service.name, **one}
        for service in Deployment.find().all()
        for one in (service.find("v1", "parked") or {"items": []})["items"]
    ]


def _owner(queue: str) -> tuple[ServiceApi, str]:
    """The service that consumes from it: queues carry their service's name."""
    name = queue.removesuffix(_SUFFIX)
    deployment = Deployment.find()
    service_name = name.partition(".")[0]
    if service_name not in deployment.services:
        raise CliError(f"there is no queue {queue}: `leadbus parked list` shows them")
    service = deployment.service(service_name)
    known = [one["queue"] for one in (service.find("v1", "parked") or {"items": []})["items"]]
    if name not in known:
        raise CliError(f"there is no queue {queue}: `leadbus parked list` shows them")
    return service, name
