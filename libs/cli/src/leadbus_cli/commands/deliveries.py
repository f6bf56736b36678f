"""``leadbus deliveries``: what the sinks did, and what an operator makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from leadbus_cli import acts
from leadbus_cli.acts import BatchSize, Manner, Rate, Yes
from leadbus_cli.api import ServiceApi
from leadbus_cli.commands.destinations import Sink
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.identifiers import uuid_of
from leadbus_cli.output import Json, Limit, listing, print_json, say
from leadbus_cli.stories import route_of, tell_delivery

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
    shown = found if as_json else [{**each, "route": route_of(each)} for each in found]
    listing(shown[:limit], _COLUMNS, as_json=as_json)


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
def redrive(
    delivery_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="Ids of deliveries; else a filter.")
    ] = None,
    phase: Annotated[
        str | None, typer.Option("--phase", help="Without it: those that failed or wait.")
    ] = None,
    outcome: Annotated[str | None, typer.Option("--outcome")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Code of why, such as refused.")] = None,
    route: Annotated[str | None, typer.Option("--route")] = None,
    dealer: Annotated[str | None, typer.Option("--dealer")] = None,
    destination: Annotated[str | None, typer.Option("--destination")] = None,
    planned_after: Annotated[str | None, typer.Option("--planned-after", help="With offset.")] = None,
    planned_before: Annotated[str | None, typer.Option("--planned-before", help="With offset.")] = None,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="With --phase delivered: send them again.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="When nothing else narrows it.")] = False,
    batch_size: BatchSize = 50,
    rate: Rate = 50.0,
    yes: Yes = False,
    sink: Sink = None,
    as_json: Json = False,
) -> None:
    """Try now what was never accepted; repeat what was, and say in it that it is a repeat.

    Single ones by id, at once. By a filter as a job: planned, agreed to, run at a rate.
    """
    filter_ = acts.given(
        phase=phase,
        outcome=outcome,
        reason=reason,
        route=route,
        dealer=dealer,
        destination=destination,
        planned_after=planned_after,
        planned_before=planned_before,
        repeat=repeat,
        all=every,
    )
    if bool(delivery_ids) == bool(filter_):
        raise CliError("which deliveries? Give ids or a filter, such as --phase failed")
    if delivery_ids:
        _operate(delivery_ids, sink, "redrive", as_json=as_json)
        return
    manner = Manner(batch_size, rate, yes=yes, as_json=as_json)
    acts.plan_and_run(_only_sink(sink), "deliveries.redrive", filter_, manner)


@app.command("cancel")
def cancel(delivery_ids: DeliveryIds, sink: Sink = None, as_json: Json = False) -> None:
    """Do not try it any more. Refused while it is being sent."""
    _operate(delivery_ids, sink, "cancel", as_json=as_json)


def _only_sink(named: str | None) -> ServiceApi:
    sinks = Deployment.find().sinks(named)
    if len(sinks) > 1:
        raise CliError("several services deliver: say which with --sink")
    return sinks[0]


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
