"""``leadbus source key``: API keys of those who push to ingest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.deployment import Deployment
from leadbus_cli.output import Json, Limit, facts, listing, print_json, say

app = typer.Typer(help="Sources that push over HTTP.", no_args_is_help=True)
keys = typer.Typer(help="Their API keys. A key is said once, when it is made.", no_args_is_help=True)
app.add_typer(keys, name="key")

Source = Annotated[str, typer.Argument(help="Such as contactatonce.")]
KeyId = Annotated[str, typer.Argument(help="The public part of the key.")]


@keys.command("create")
def create(
    source: Source,
    account: Annotated[str, typer.Option("--account", help="Account the key stands for.")] = "default",
    label: Annotated[str, typer.Option("--label", help="For people: who holds it.")] = "",
    as_json: Json = False,
) -> None:
    """Make a key and print it, once."""
    made = _ingest().post("v1", "sources", source, "keys", body={"account": account, "label": label})
    _told(made, as_json=as_json)


@keys.command("list")
def list_(source: Source, limit: Limit = 100, as_json: Json = False) -> None:
    """Keys of a source; never the secrets."""
    found = _ingest().items("v1", "sources", source, "keys", limit=limit)
    columns = ("key_id", "account", "label", "state", "created_at", "last_used_at", "expires_at")
    listing(found, columns, as_json=as_json)


@keys.command("rotate")
def rotate(
    source: Source,
    key_id: KeyId,
    grace: Annotated[
        int, typer.Option("--grace", min=0, help="Seconds that the old key stays valid beside the new one.")
    ] = 86_400,
    as_json: Json = False,
) -> None:
    """Make a new key for the same account and print it, once."""
    made = _ingest().post("v1", "sources", source, "keys", key_id, "rotate", body={"grace_seconds": grace})
    _told(made, as_json=as_json)


@keys.command("revoke")
def revoke(source: Source, key_id: KeyId, as_json: Json = False) -> None:
    """End a key now."""
    revoked = _ingest().post("v1", "sources", source, "keys", key_id, "revoke")
    if as_json:
        print_json(revoked)
    else:
        say(f"{key_id} is {revoked['state']}")


def _ingest() -> ServiceApi:
    return Deployment.find().service("ingest")


def _told(made: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    facts({name: made.get(name) for name in ("key", "key_id", "source", "account", "label")})
    if replaced := made.get("replaces"):
        say(f"{replaced['key_id']} ends at {replaced['expires_at']}")
    say("Keep it now: it is not shown again.")
