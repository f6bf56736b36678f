"""``leadbus destinations``: hosts and accounts that deliveries go to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.output import Json, Limit, listing, print_json, say

app = typer.Typer(help="Hosts and accounts that deliveries go to.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="As listed.")]
Sink = Annotated[str | None, typer.Option("--sink", help="Only this service, such as adf-mailer.")]
_COLUMNS = ("sink", "name", "breaker", "consecutive_failures", "paused_at", "pause_reason", "next_probe_at")


@app.command("list")
def list_(sink: Sink = None, limit: Limit = 100, as_json: Json = False) -> None:
    """Destinations and how they are."""
    found = [
        {"sink": service.name, **each}
        for service in Deployment.find().sinks(sink)
        for each in service.items("v1", "destinations", limit=limit)
    ]
    listing(found[:limit], _COLUMNS, as_json=as_json)


@app.command("pause")
def pause(
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="Why; shown to everybody who looks.")],
    sink: Sink = None,
    as_json: Json = False,
) -> None:
    """Send nothing there until resumed. What is being sent ends first."""
    service = _owner(name, sink)
    paused = service.post("v1", "destinations", name, "pause", body={"reason": reason})
    _told(service, paused, "paused", as_json=as_json)


@app.command("resume")
def resume(name: Name, sink: Sink = None, as_json: Json = False) -> None:
    """Lift the pause; with an open breaker, probe at once."""
    service = _owner(name, sink)
    _told(service, service.post("v1", "destinations", name, "resume"), "resumed", as_json=as_json)


def _owner(name: str, sink: str | None) -> ServiceApi:
    found = [service for service in Deployment.find().sinks(sink) if service.find("v1", "destinations", name)]
    if not found:
        raise CliError(f"there is no destination {name}")
    if len(found) > 1:
        raise CliError(f"several services have a destination {name}: say which with --sink")
    return found[0]


def _told(service: ServiceApi, answer: dict[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"sink": service.name, **answer})
    else:
        say(f"{answer['name']} {what}")
