"""``leadbus deliveries``: what the sinks did, and what an operator makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.commands.destinations import Sink
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.identifiers import uuid_of
from leadbus_cli.output import Json, Limit, listing, print_json, say
from leadbus_cli.stories import tell_delivery

app = typer.Typer(help="Deliveries: one lead on one route.", no_args_is_help=True)

DeliveryIds = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of deliveries.")]
_COLUMNS = (
    "sink",
    "id",
    "subject_id",
    "route",
    "destination",
    "phase",
    "outcome",
    "reason",
    "attempts",
    "planned_at",
    "next_try_at",
)


@app.command("list")
def list_(
    phase: Annotated[str | None, typer.Option("--phase", help="queued, sending, waiting, failed, …")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="Id of a lead.")] = None,
    route: Annotated[str | None, typer.Option("--route")] = None,
    dealer: Annotated[str | None, typer.Option("--dealer")] = None,
    destination: Annotated[str | None, typer.Option("--destination")] = None,
    outcome: Annotated[str | None, typer.Option("--outcome")] = None,
    sink: Sink = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Deliveries, the newest first."""
    filters = {
        "phase": phase,
        "subject_id": subject,
        "route": route,
        "dealer": dealer,
        "destination": destination,
        "outcome": outcome,
    }
    found = [
        {"sink": service.name, **each}
        for service in Deployment.find().sinks(sink)
        for each in service.items("v1", "deliveries", limit=limit, **filters)
    ]
    found.sort(key=lambda each: str(each["planned_at"]), reverse=True)
    listing(found[:limit], _COLUMNS, as_json=as_json)


@app.command("show")
def show(
    delivery_id: Annotated[str, typer.Argument(metavar="ID")], sink: Sink = None, as_json: Json = False
) -> None:
    """One delivery with its tries, their answers, and what operators did to it."""
    service, story = _found(delivery_id, sink)
    told = {"sink": service.name, **story}
    if as_json:
        print_json(told)
    else:
        tell_delivery(told)


@app.command("redrive")
def redrive(delivery_ids: DeliveryIds, sink: Sink = None, as_json: Json = False) -> None:
    """Try now what was never accepted; repeat what was, and say in it that it is a repeat."""
    _operate(delivery_ids, sink, "redrive", as_json=as_json)


@app.command("cancel")
def cancel(delivery_ids: DeliveryIds, sink: Sink = None, as_json: Json = False) -> None:
    """Do not try it any more. Refused while it is being sent."""
    _operate(delivery_ids, sink, "cancel", as_json=as_json)


def _operate(delivery_ids: list[str], sink: str | None, act: str, *, as_json: bool) -> None:
    """All ids are looked up before the first is touched; one that is refused does not stop the others."""
    found = [(delivery_id, _found(delivery_id, sink)[0]) for delivery_id in delivery_ids]
    done: list[dict[str, Any]] = []
    refused: list[str] = []
    for delivery_id, service in found:
        try:
            answer = service.post("v1", "deliveries", delivery_id, act)
        except CliError as error:
            refused += [f"{delivery_id}: {line}" for line in error.lines]
            continue
        done.append({"sink": service.name, **answer})
        if not as_json:
            say(f"{delivery_id} is {answer['phase']}")
    if as_json:
        print_json({"items": done})
    if refused:
        raise CliError(*refused)


def _found(delivery_id: str, sink: str | None) -> tuple[ServiceApi, Mapping[str, Any]]:
    if uuid_of(delivery_id) is not None:
        for service in Deployment.find().sinks(sink):
            story = service.find("v1", "deliveries", delivery_id)
            if story is not None:
                return service, story
    raise CliError(f"there is no delivery {delivery_id}")
