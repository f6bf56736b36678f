"""``leadbus topology``: the broker's exchanges, queues, bindings, policies and users.

What speaks AMQP is imported by the commands that need it: it takes as long as everything else together.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.output import Json, hush_libraries, print_json, say

app = typer.Typer(help="The broker's exchanges, queues, bindings, policies and users.", no_args_is_help=True)


@app.command("apply")
def apply(
    credentials: Annotated[
        Path | None,
        typer.Option(
            "--credentials",
            help="Passwords of the services' users: a directory with a file for each, or a file of lines "
            "user=password. A user that exists keeps its own.",
        ),
    ] = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Generate what the directory lacks, into it.")
    ] = False,
    rotate: Annotated[
        list[str] | None, typer.Option("--rotate", metavar="USER", help="Give this user a new password.")
    ] = None,
    no_users: Annotated[
        bool, typer.Option("--no-users", help="Leave users alone: somebody else makes them.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the broker what is declared, its users with it, and read it back. Twice changes nothing more."""
    from leadbus import topology

    if no_users and (credentials or generate or rotate):
        raise typer.BadParameter(
            "goes with none of --credentials, --generate, --rotate", param_hint="--no-users"
        )
    hush_libraries()
    deployment = Deployment.find()
    urls = deployment.broker()
    try:
        kept = topology.credentials_at(credentials, generate=generate)
        users = None if no_users else topology.Users(kept, deployment.user_prefix, frozenset(rotate or ()))
        applied = asyncio.run(topology.apply(*urls, users=users))
    except topology.CredentialsError as error:
        raise CliError(str(error)) from None
    except topology.TopologyError as error:
        raise CliError(*_lines(error)) from None
    if as_json:
        print_json(asdict(applied))
        return
    counts = {name: value for name, value in asdict(applied).items() if isinstance(value, int) and value}
    say("in force: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    for change in applied.changes:
        say(change)
    for surplus in applied.surplus:
        say(f"not declared, left alone: {surplus}")


def _lines(error: Exception) -> list[str]:
    from leadbus.topology.granting import UsersError

    if isinstance(error.__cause__, UsersError):
        return [
            *error.__cause__.reasons,
            "nothing was changed (--credentials, --generate, --rotate, --no-users)",
        ]
    return str(error).splitlines()


@app.command("show")
def show(as_json: Json = False) -> None:
    """What is declared."""
    from leadbus import topology

    if as_json:
        print_json({**asdict(topology.TOPOLOGY), "users": [asdict(user) for user in topology.USERS]})
        return
    for line in topology.show().splitlines():
        say(line)


@app.command("definitions")
def definitions(
    vhost: Annotated[str, typer.Option("--vhost", help="Virtual host to write them for.")] = "/",
    as_json: Json = True,
) -> None:
    """The same as definitions that RabbitMQ imports, without users: `apply` makes those; always JSON."""
    from leadbus import topology

    print_json(topology.definitions(vhost))
