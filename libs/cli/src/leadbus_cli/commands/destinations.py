"""``leadbus destinations``: hosts and accounts that deliveries go to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.output import Json, Limit, facts, heading, listing, print_json, say

app = typer.Typer(help="Hosts and accounts that deliveries go to.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As listed.")]
Sink = Annotated[str | None, typer.Option("--sink", help="Only this service, such as adf-mailer.")]
Number = Annotated[
    str | None, typer.Option(metavar="N|none", help="A whole number from 1; `none` lifts the limit.")
]
_COLUMNS = (
    *("sink", "name", "health", "since", "reason"),
    *("queued", "waiting", "in_flight", "oldest_due_age_seconds", "last_success_at"),
)
_HEALTH = ("healthy", "failing", "paused", "suspended")


@app.command("list")
def list_(
    health: Annotated[str | None, typer.Option("--health", help=", ".join(_HEALTH))] = None,
    sink: Sink = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Destinations, how they are, since when and why, and what waits for them."""
    found = [
        {"sink": service.name, **each}
        for service in Deployment.find().sinks(sink)
        for each in service.items("v1", "destinations", limit=limit, health=health)
    ]
    rows = found if as_json else [each | (each.get("work") or {}) for each in found]
    listing(rows[:limit], _COLUMNS, as_json=as_json)


@app.command("show")
def show(name: Name, sink: Sink = None, as_json: Json = False) -> None:
    """One destination: health, work, last failure and success, probes, limits."""
    service = _owner(name, sink)
    found = {"sink": service.name, **service.get("v1", "destinations", name)}
    if as_json:
        print_json(found)
        return
    parts = {part: found.pop(part, None) or {} for part in ("last_failure", "work", "limits")}
    facts(found)
    for title, values in parts.items():
        if any(value is not None for value in values.values()):
            heading(title.replace("_", " "))
            facts({key: "0" if value == 0 else value for key, value in values.items()}, indent="  ")


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
    """Lift the pause; one that is failing or suspended is probed at once."""
    service = _owner(name, sink)
    _told(service, service.post("v1", "destinations", name, "resume"), "resumed", as_json=as_json)


@app.command("limits")
def limits(
    name: Name,
    max_in_flight: Number = None,
    per_minute: Number = None,
    sink: Sink = None,
    as_json: Json = False,
) -> None:
    """Show how much it may be asked to take by all replicas together; with an option, change that."""
    wanted = {"max_in_flight": _number(max_in_flight), "per_minute": _number(per_minute)}
    service = _owner(name, sink)
    seen = service.request("GET", "v1", "destinations", name, "limits")
    now = seen.json()
    changed = {key: None if value == 0 else value for key, value in wanted.items() if value is not None}
    if changed:
        now = service.request(
            *("PUT", "v1", "destinations", name, "limits"),
            body={**now, **changed},
            headers={"If-Match": seen.headers["ETag"]},
        ).json()
    if as_json:
        print_json({"sink": service.name, "name": name, **now})
    else:
        facts({key: "none" if value is None else value for key, value in now.items()})


def _number(given: str | None) -> int | None:
    """0 for `none`; the service says what else is wrong with a number."""
    if given is None:
        return None
    if given == "none":
        return 0
    if not (given.isascii() and given.isdecimal() and int(given) > 0):
        raise CliError(f"{given} is no limit: a whole number from 1, or none")
    return int(given)


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
