"""``leadbus virtualexpo``: subscriptions that ingest fetches, and its attempts to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.identifiers import uuid_of
from leadbus_cli.output import Json, Limit, facts, heading, listing, print_json, say, shown, table

app = typer.Typer(help="Subscriptions that are fetched from VirtualExpo.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the VirtualExpoSubscription.")]
_SUBSCRIPTIONS = (
    *("name", "set_up", "enabled", "trial", "due_at"),
    *("last_attempt_at", "last_outcome", "last_code", "last_success_at"),
)
_ATTEMPTS = (
    *("attempt_id", "subscription", "trial", "started_at", "outcome", "code"),
    *("http_status", "leads", "new_leads", "quarantine_id"),
)


@app.command("list")
def list_(limit: Limit = 100, as_json: Json = False) -> None:
    """Subscriptions: when each is due, and what its last attempt came to."""
    found = _ingest().items("v1", "virtualexpo", "subscriptions", limit=limit)
    listing(found, _SUBSCRIPTIONS, as_json=as_json)


@app.command("attempts")
def attempts(
    subscription: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only of this one.")] = None,
    outcome: Annotated[str | None, typer.Option("--outcome", help="succeeded, failed, …")] = None,
    code: Annotated[str | None, typer.Option("--code", help="Why, a word of the runbook.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Attempts to fetch, the newest first."""
    found = _ingest().items(
        *("v1", "virtualexpo", "attempts"),
        limit=limit,
        subscription=subscription,
        outcome=outcome,
        code=code,
    )
    listing(found, _ATTEMPTS, as_json=as_json)


@app.command("attempt")
def attempt(
    attempt_id: Annotated[str, typer.Argument(metavar="ID", help="As listed.")], as_json: Json = False
) -> None:
    """One attempt: what was the matter with its document, and the report where it was a trial."""
    found = _ingest().find("v1", "virtualexpo", "attempts", attempt_id) if uuid_of(attempt_id) else None
    if found is None:
        raise CliError(f"there is no attempt {attempt_id}")
    _tell(found, as_json=as_json)


@app.command("trial")
def trial(name: Name, as_json: Json = False) -> None:
    """The report of a subscription's last trial: whether data lands in the right fields."""
    found = _ingest().find("v1", "virtualexpo", "subscriptions", name, "trial")
    if found is None:
        raise CliError(f"{name} has had no trial; set `trial` in its setting")
    _tell(found, as_json=as_json)


@app.command("fetch")
def fetch(name: Name, as_json: Json = False) -> None:
    """Fetch as soon as two hours from the last attempt allow; the vendor allows no more."""
    ingest = _ingest()
    if ingest.find("v1", "virtualexpo", "subscriptions", name) is None:
        raise CliError(f"there is no subscription {name}")
    soon = ingest.post("v1", "virtualexpo", "subscriptions", name, "fetch")
    if as_json:
        print_json({"name": name, **soon})
    else:
        say(f"{name} is fetched at {shown(soon['due_at'])}")


def _ingest() -> ServiceApi:
    return Deployment.find().service("ingest")


def _tell(attempt: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(attempt)
        return
    faults, report = attempt.pop("faults", None) or [], attempt.pop("report", None)
    facts(attempt)
    if faults:
        heading("document")
        table(faults, ("code", "line"), indent="  ")
    if report is None:
        return
    off_schema = report.pop("faults", None) or []
    heading("report, in numbers of leads")
    facts(report, indent="  ")
    if off_schema:
        heading("not as the schema has it")
        table(off_schema, ("rule", "path", "leads"), indent="  ")
