"""What `leadbus parked` and `leadbus unrouted` have in common: messages that wait in a queue for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.errors import CliError
from leadbus_cli.output import facts, listing, print_body, print_json

HeldId = Annotated[str, typer.Argument(metavar="ID", help="Id of the message, as listed.")]
Ids = Annotated[list[str] | None, typer.Option("--id", help="Only this message; may be given again.")]
All = Annotated[bool, typer.Option("--all", help="All that are there now.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Print the message itself; audited.")]
Why = Annotated[str, typer.Option("--reason", help="Why nothing is lost; audited.")]

_COLUMNS = (
    "position",
    "id",
    "message_id",
    "routing_key",
    "size_bytes",
    "content_type",
    "died",
    "refusal",
)


def list_messages(service: ServiceApi, *path: str, limit: int, as_json: bool) -> None:
    """Messages of a queue, the oldest first."""
    found = [
        {**one, "died": (one.get("death") or {}).get("reason")}
        for one in service.items("v1", *path, limit=limit)
    ]
    listing(found, _COLUMNS, as_json=as_json)


def show_message(service: ServiceApi, *path: str, reveal: bool, as_json: bool) -> None:
    """One message; its bytes only when they are to be revealed. Raises CliError when it is not there."""
    message = service.find("v1", *path)
    if message is None:
        raise CliError(f"there is no message {path[-1]} in this queue")
    if not reveal:
        print_json(message) if as_json else facts(message)
        return
    print_body(service.request("GET", "v1", *path, "body").content, message, as_json=as_json)


def picked(ids: Sequence[str], *, every: bool) -> dict[str, Any]:
    """The part of a filter that names messages. Raises CliError unless exactly one way is taken."""
    if bool(ids) == every:
        raise CliError("which messages? Give --id (again and again), or --all")
    return {"all": True} if every else {"ids": list(ids)}
