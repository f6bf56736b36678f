"""``leadbus quarantine``: raw messages that made no lead, and what ingest fetched or received in vain."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leadbus_cli import acts
from leadbus_cli.acts import BatchSize, Manner, Rate, Yes
from leadbus_cli.api import ServiceApi, of_each
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.identifiers import uuid_of
from leadbus_cli.output import Json, Limit, facts, listing, print_body, print_json, say

app = typer.Typer(help="What could not be read, placed or published.", no_args_is_help=True)

_READS, _TAKES = "normalizer", "ingest"

EntryId = Annotated[str, typer.Argument(metavar="ID", help="Id of the entry.")]
_COLUMNS = (
    "service",
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
    """Entries of the normalizer and of ingest, the newest first; without --all the open ones."""
    filters = {"reason": reason, "source": source, "account": account}
    wanted = None if every else state

    def entries(service: ServiceApi) -> list[dict[str, Any]]:
        if service.name == _READS:
            found = service.items("v1", "quarantine", limit=limit, **filters, state=wanted)
            return [{"service": service.name, **each} for each in found]
        # Here an entry is open, or gone.
        if wanted not in (None, "open"):
            return []
        return [_kept(each) for each in service.items("v1", "quarantine", limit=limit, **filters)]

    found, missing = of_each(_services(), entries)
    if missing and not found:
        raise CliError(*missing)
    found.sort(key=lambda each: str(each["quarantined_at"]), reverse=True)
    listing(found[:limit], _COLUMNS, as_json=as_json)
    if missing:
        raise CliError(*missing)


@app.command("show")
def show(
    entry_id: EntryId,
    reveal: Annotated[bool, typer.Option("--reveal", help="Print the message itself; audited.")] = False,
    as_json: Json = False,
) -> None:
    """Why a message was quarantined, and what became of it."""
    service, entry = _entry(entry_id)
    if reveal:
        body = service.request("GET", "v1", "quarantine", entry_id, "body").content
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
        acts.plan_and_run(Deployment.find().service(_READS), "quarantine.replay", filter_, manner)
        return
    services = [_reader_of(entry_id) for entry_id in entry_ids]
    results = []
    for service, entry_id in zip(services, entry_ids, strict=True):
        result = service.post("v1", "quarantine", entry_id, "replay")
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
    """Give a message up. The normalizer still keeps its bytes; what ingest kept is deleted."""
    service, entry = _entry(entry_id)
    answer = service.request("POST", "v1", "quarantine", entry_id, "discard", body={"reason": reason})
    after = answer.json() if answer.content else {**entry, "state": "discarded"}
    if as_json:
        print_json(after)
    else:
        say(f"{entry_id} is {after['state']}")


def _services() -> list[ServiceApi]:
    deployment = Deployment.find()
    known = [name for name in (_READS, _TAKES) if name in deployment.services]
    return [deployment.service(name) for name in known or (_READS,)]


def _kept(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of ingest as one of the normalizer: what was published by nobody has but the one id."""
    return {"service": _TAKES, "id": entry["raw_id"], "state": "open", **entry}


def _entry(entry_id: str) -> tuple[ServiceApi, dict[str, Any]]:
    for service in _services() if uuid_of(entry_id) else ():
        found = service.find("v1", "quarantine", entry_id)
        if found is not None:
            return service, {"service": service.name, **found} if service.name == _READS else _kept(found)
    raise CliError(f"there is no quarantine entry {entry_id}")


def _reader_of(entry_id: str) -> ServiceApi:
    service, entry = _entry(entry_id)
    if service.name != _READS:
        raise CliError(
            f"{entry_id} was never published ({entry['reason']}), so there is nothing to read again: "
            "have it sent or fetched once more, then discard it"
        )
    return service


def _outcome(result: dict[str, Any]) -> str:
    if result.get("outcome") == "quarantined":
        return f"still quarantined: {result.get('reason')} {result.get('field') or ''}".rstrip()
    return f"{result.get('change')} lead {result.get('lead_id')} revision {result.get('revision')}"
