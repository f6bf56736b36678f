"""``leadbus parked``: messages that a service could neither handle nor store."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leadbus_cli import acts
from leadbus_cli.acts import BatchSize, Manner, Rate, Yes
from leadbus_cli.api import ServiceApi, of_each
from leadbus_cli.commands.holding import All, HeldId, Ids, Reveal, Why, list_messages, picked, show_message
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.output import Json, Limit, listing

app = typer.Typer(help="Messages that a service could neither handle nor store.", no_args_is_help=True)

Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="As consumed from, such as normalizer.raw.")]
_SUFFIX = ".parked"


@app.command("list")
def list_(
    queue: Annotated[
        str | None,
        typer.Argument(metavar="[QUEUE]", help="As consumed from, such as normalizer.raw; else all queues."),
    ] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """How much lies in each parked queue; the messages of one, the oldest first."""
    if queue is None:
        _list_queues(as_json=as_json)
        return
    service, name = _owner(queue)
    list_messages(service, "parked", name, limit=limit, as_json=as_json)


@app.command("show")
def show(queue: Queue, held_id: HeldId, reveal: Reveal = False, as_json: Json = False) -> None:
    """What a message is and why it lies there."""
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
    """Have messages handled again, as if they came now. What fails again stays where it is."""
    service, name = _owner(queue)
    filter_ = {"queue": name, **picked(ids or [], every=every)}
    manner = Manner(batch_size, rate, yes=yes, as_json=as_json)
    acts.plan_and_run(service, "parked.redrive", filter_, manner)


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
    """Give messages up for good. Their bytes are gone; ids, size, digest and reason stay on record."""
    service, name = _owner(queue)
    filter_ = {"queue": name, **picked(ids or [], every=every)}
    manner = Manner(batch_size, rate, yes=yes, as_json=as_json)
    acts.plan_and_run(service, "parked.discard", filter_, manner, reason)


def _list_queues(*, as_json: bool) -> None:
    found, missing = of_each(
        Deployment.find().all(),
        lambda service: [{"service": service.name, **one} for one in _queues_of(service)],
    )
    listing(found, ("service", "queue", "messages", "unreadable"), as_json=as_json)
    if missing:
        raise CliError(*missing)


def _queues_of(service: ServiceApi) -> list[dict[str, Any]]:
    """None for a service that parks nothing."""
    found: list[dict[str, Any]] = (service.find("v1", "parked") or {"items": []})["items"]
    return found


def _owner(queue: str) -> tuple[ServiceApi, str]:
    """The service that consumes from it: queues carry their service's name."""
    name = queue.removesuffix(_SUFFIX)
    deployment = Deployment.find()
    service_name = name.partition(".")[0]
    if service_name not in deployment.services:
        raise CliError(f"there is no queue {queue}: `leadbus parked list` shows them")
    service = deployment.service(service_name)
    if name not in [one["queue"] for one in _queues_of(service)]:
        raise CliError(f"there is no queue {queue}: `leadbus parked list` shows them")
    return service, name
