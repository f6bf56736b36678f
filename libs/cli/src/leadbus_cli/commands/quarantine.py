"""``leadbus quarantine``: raw messages that made no lead."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leadbus_cli import acts
from leadbus_cli.acts import BatchSize, Manner, Rate, Yes
from leadbus_cli.api import ServiceApi
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.identifiers import uuid_of
from leadbus_cli.output import Json, Limit, facts, listing, print_body, print_json, say

app = typer.Typer(help="Raw messages that could not be read or placed.", no_args_is_help=True)

EntryId = Annotated[str, typer.Argument(metavar="ID", help="Id of the entry.")]
_COLUMNS = (
    "id",
    "source",
    "account",
    "raw_id",
    "state",
    "reason",
    "field",
    "value_kind",
    "location",
    "quarantined_at",
)


@app.command("list")
def list_(
    reason: Annotated[str | None, typer.Option("--reason", help="Such as location_unmapped.")] = None,
    source: Annotated[str | None, typer.Option("--source")] = None,
    account: Annotated[str | None, typer.Option("--account")] = None,
    state: Annotated[str | None, typer.Option("--state", help="open, released or discarded.")] = "open",
    every: Annotated[bool, typer.Option("--all", help="Whatever the state.")] = False,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Entries, the newest first; without --all the open ones."""
    found = _normalizer().items(
        "v1",
        "quarantine",
        limit=limit,
        reason=reason,
        source=source,
        account=account,
        state=None if every else state,
    )
    listing(found, _COLUMNS, as_json=as_json)


@app.command("show")
def show(
    entry_id: EntryId,
    reveal: Annotated[bool, typer.Option("--reveal", help="Print the message itself; audited.")] = False,
    as_json: Json = False,
) -> None:
    """Why a message was quarantined, and what became of it."""
    normalizer = _normalizer()
    entry = _entry(normalizer, entry_id)
    if reveal:
        body = normalizer.request("GET", "v1", "quarantine", entry_id, "body").content
        print_body(body, entry, as_json=as_json)
    elif as_json:
        print_json(entry)
    else:
        facts(entry)


@app.command("replay")
def replay(
    entry_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="Ids of entries; else a filter.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Such as payload_invalid.")] = None,
    source: Annotated[str | None, typer.Option("--source")] = None,
    account: Annotated[str | None, typer.Option("--account")] = None,
    location: Annotated[str | None, typer.Option("--location", help="Reference that was not mapped.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Quarantined then or later, with offset.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Quarantined before, with offset.")] = None,
    every: Annotated[bool, typer.Option("--all", help="When nothing else narrows it.")] = False,
    batch_size: BatchSize = 50,
    rate: Rate = 50.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Process messages again, after a fix. What still cannot be read stays, with today's reason.

    Single ones by id, at once. By a filter as a job: planned, agreed to, run at a rate.
    """
    filter_ = acts.given(
        reason=reason,
        source=source,
        account=account,
        location=location,
        since=since,
        until=until,
        all=every,
    )
    if bool(entry_ids) == bool(filter_):
        raise CliError("which entries? Give ids or a filter, such as --reason payload_invalid")
    if not entry_ids:
        manner = Manner(batch_size, rate, yes=yes, as_json=as_json)
        acts.plan_and_run(_normalizer(), "quarantine.replay", filter_, manner)
        return
    normalizer = _normalizer()
    for entry_id in entry_ids:
        _entry(normalizer, entry_id)
    results = []
    for entry_id in entry_ids:
        result = normalizer.post("v1", "quarantine", entry_id, "replay")
        results.append({"id": entry_id, **result})
        if not as_json:
            say(f"{entry_id}: {_outcome(result)}")
    if as_json:
        print_json({"items": results})


@app.command("discard")
def discard(
    entry_id: EntryId,
    reason: Annotated[str, typer.Option("--reason", help="Why nothing is lost; audited.")],
    as_json: Json = False,
) -> None:
    """Give a message up. Its bytes are still kept."""
    normalizer = _normalizer()
    _entry(normalizer, entry_id)
    entry = normalizer.post("v1", "quarantine", entry_id, "discard", body={"reason": reason})
    if as_json:
        print_json(entry)
    else:
        say(f"{entry_id} is {entry['state']}")


def _normalizer() -> ServiceApi:
    return Deployment.find().service("normalizer")


def _entry(normalizer: ServiceApi, entry_id: str) -> dict[str, Any]:
    found = normalizer.find("v1", "quarantine", entry_id) if uuid_of(entry_id) else None
    if found is None:
        raise CliError(f"there is no quarantine entry {entry_id}")
    entry: dict[str, Any] = found
    return entry


def _outcome(result: dict[str, Any]) -> str:
    if result.get("outcome") == "quarantined":
        return f"still quarantined: {result.get('reason')} {result.get('field') or ''}".rstrip()
    return f"{result.get('change')} lead {result.get('lead_id')} revision {result.get('revision')}"
