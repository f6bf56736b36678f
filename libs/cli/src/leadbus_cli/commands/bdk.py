"""``leadbus bdk``: connections to the BDK Leadservice, and the leads that it told of."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.identifiers import uuid_of
from leadbus_cli.output import Json, Limit, facts, heading, listing, print_json, say, table

app = typer.Typer(help="Connections to the BDK Leadservice.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the BdkConnection.")]
ReadId = Annotated[str, typer.Argument(metavar="ID", help="As `leadbus bdk reads` says it.")]
_CONNECTIONS = ("name", "enabled", "state", "needs_person", "not_before", "failures", "waiting", "oldest_due")
_LISTS = ("partner_number", "known_until", "next_at", "outcome", "status", "failures", "entries", "news")
_READS = (
    *("read_id", "connection", "lead_id", "state", "noticed_at", "due_at"),
    *("tries", "outcome", "status", "raw_id"),
)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Connections: how each is, why a person is needed, and what waits."""
    listing(_ingest().get("v1", "bdk", "connections")["items"], _CONNECTIONS, as_json=as_json)


@app.command("show")
def show(name: Name, as_json: Json = False) -> None:
    """One connection, with each list that it is asked for."""
    _tell(_connection(_ingest(), name), as_json=as_json)


@app.command("resume")
def resume(name: Name, as_json: Json = False) -> None:
    """Say that what it needed a person for is mended: everything is tried at once."""
    ingest = _ingest()
    _connection(ingest, name)
    _tell(ingest.post("v1", "bdk", "connections", name, "resume"), as_json=as_json)


@app.command("reconcile")
def reconcile(
    name: Name,
    since: Annotated[
        str | None, typer.Option("--since", help="Changed then or later, with offset; else since the last.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask for its lists now: what no notification told of is found."""
    ingest = _ingest()
    _connection(ingest, name)
    asked = ingest.post("v1", "bdk", "connections", name, "reconcile", body={"since": since})
    _tell(asked, as_json=as_json)


@app.command("reads")
def reads(
    connection: Annotated[str | None, typer.Option("--connection", metavar="NAME")] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="due, held, done, given_up, discarded.")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="Of the last try, such as forbidden.")
    ] = None,
    lead: Annotated[str | None, typer.Option("--lead", metavar="ID", help="The bank's id of it.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Leads that the bank told of, the newest first: fetched, due, or held for a person."""
    found = _ingest().items(
        *("v1", "bdk", "reads"),
        limit=limit,
        connection=connection,
        state=state,
        outcome=outcome,
        lead_id=lead,
    )
    listing(found, _READS, as_json=as_json)


@app.command("retry")
def retry(read_id: ReadId, as_json: Json = False) -> None:
    """Fetch a lead at once, whatever its state."""
    _act(read_id, "retry", "is fetched again", as_json=as_json)


@app.command("discard")
def discard(read_id: ReadId, as_json: Json = False) -> None:
    """Fetch a lead no more, until the bank tells of it again; audited."""
    _act(read_id, "discard", "is discarded", as_json=as_json)


def _ingest() -> ServiceApi:
    return Deployment.find().service("ingest")


def _connection(ingest: ServiceApi, name: str) -> dict[str, Any]:
    found = ingest.find("v1", "bdk", "connections", name)
    if found is None:
        raise CliError(f"there is no connection {name}")
    connection: dict[str, Any] = found
    return connection


def _act(read_id: str, act: str, said: str, *, as_json: bool) -> None:
    if not uuid_of(read_id):
        raise CliError(f"{read_id} is no id of a read; `leadbus bdk reads` lists them")
    _ingest().request("POST", "v1", "bdk", "reads", read_id, act)
    if as_json:
        print_json({"read_id": read_id, "done": act})
    else:
        say(f"{read_id} {said}")


def _tell(connection: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(connection)
        return
    lists = connection.pop("lists", None) or []
    facts(connection)
    if lists:
        heading("lists")
        table(lists, _LISTS, indent="  ")
