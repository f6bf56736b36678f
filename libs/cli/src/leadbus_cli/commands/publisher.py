"""``leadbus publisher``: who may bring the messages of a source, over AMQP and over HTTP.

What knows the topology is imported by the commands that need it: it takes long.
"""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from leadbus_cli.deployment import Deployment
from leadbus_cli.output import Json, facts, listing, print_json, say

if TYPE_CHECKING:
    from leadbus_cli.publishers import Added

app = typer.Typer(help="Who may bring the messages of a source.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits, points, hyphens.")]
_SCRIPT = "(publish.py is docs/contracts/examples/publish.py of the Leadbus repository; it needs aio-pika)"
_COLUMNS = ("name", "user", "source", "keys", "connections", "rights")


@app.command("add")
def add(
    name: Name,
    source: Annotated[str, typer.Option("--source", help="The one source it brings, such as contactatonce.")],
    account: Annotated[
        str | None, typer.Option("--account", help="Account its messages belong to; else its name.")
    ] = None,
    label: Annotated[str, typer.Option("--label", help="For people: who holds the key.")] = "",
    no_key: Annotated[
        bool, typer.Option("--no-key", help="Only AMQP: for sources that have no door over HTTP.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a broker user that may publish raw.SOURCE and nothing else, and an API key. Printed once."""
    from leadbus_cli.publishers import Publishers

    deployment = Deployment.find()
    added = asyncio.run(Publishers(deployment).add(name, source, account or name, label, with_key=not no_key))
    samples = _samples(added, deployment.services.get("ingest", ""))
    if as_json:
        print_json({**asdict(added), "key": None, **(added.key or {}), "samples": samples})
        return
    facts({"publisher": name, "user": added.user, "source": source, "account": added.account})
    say("Keep these now: they are not shown again.")
    say(f"export LEADBUS_AMQP_URL={shlex.quote(added.amqp_url)}")
    if added.key:
        say(f"export LEADBUS_API_KEY={shlex.quote(added.key['key'])}")
    say("A lead in lead.json, over AMQP and over HTTP:" if added.key else "A lead in lead.json:")
    say(_SCRIPT)
    for sample in samples.values():
        say(sample)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Publishers, their keys, and whether their rights are what they ought to be."""
    from leadbus_cli.publishers import Publishers

    found = asyncio.run(Publishers(Deployment.find()).all())
    rows = [
        {**asdict(each), "rights": "; ".join(each.wrong) or "as declared", "keys": each.keys}
        for each in found
    ]
    if not as_json:
        rows = [{**row, "keys": ", ".join(row["keys"])} for row in rows]
    listing(rows, _COLUMNS, as_json=as_json)


@app.command("remove")
def remove(name: Name, as_json: Json = False) -> None:
    """Delete its user, end its connections and revoke its keys."""
    from leadbus_cli.publishers import Publishers

    user, keys = asyncio.run(Publishers(Deployment.find()).remove(name))
    if as_json:
        print_json({"name": name, "user": user or None, "revoked_keys": keys})
        return
    if user:
        say(f"user {user} removed, its connections ended")
    for key_id in keys:
        say(f"key {key_id} revoked")


def _samples(added: Added, ingest_url: str) -> dict[str, str]:
    """Commands for where lead.json is, and publish.py with it. Secrets come from the environment: no process
    list shows them."""
    account, source = shlex.quote(added.account), shlex.quote(added.source)
    amqp = f"python publish.py --account {account} {source} lead.json"
    if added.key is None:
        return {"amqp": amqp}
    address = shlex.quote(f"{ingest_url.rstrip('/')}/v1/raw/{added.source}")
    http = (
        "printf 'Authorization: Bearer %s' \"$LEADBUS_API_KEY\" | curl --fail-with-body -sS -H @-"
        f" -H 'Content-Type: application/json' --data-binary @lead.json {address}"
    )
    return {"amqp": amqp, "http": http}
