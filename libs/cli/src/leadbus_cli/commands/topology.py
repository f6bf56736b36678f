"""``leadbus topology``: the broker's exchanges, queues, bindings and policies.

What speaks AMQP is imported by the commands that need it: it takes as long as everything else together.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.output import Json, print_json, say

app = typer.Typer(help="The broker's exchanges, queues, bindings and policies.", no_args_is_help=True)


@app.command("apply")
def apply(as_json: Json = False) -> None:
    """Make the broker so, and read it back. Applying twice changes nothing."""
    from leadbus import topology

    deployment = Deployment.find()
    if not deployment.amqp_url or not deployment.management_url:
        raise CliError(
            "where is the broker? Set LEADBUS_AMQP_URL and LEADBUS_MANAGEMENT_URL of a user that may "
            "configure it."
        )
    try:
        applied = asyncio.run(topology.apply(deployment.amqp_url, deployment.management_url))
    except topology.TopologyError as error:
        raise CliError(*str(error).splitlines()) from None
    if as_json:
        print_json(asdict(applied))
        return
    counts = {name: value for name, value in asdict(applied).items() if isinstance(value, int)}
    say("in force: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    for binding in applied.surplus:
        say(f"not declared, left alone: {binding}")


@app.command("show")
def show(as_json: Json = False) -> None:
    """What is declared."""
    from leadbus import topology

    if as_json:
        print_json(asdict(topology.TOPOLOGY))
        return
    for line in topology.show().splitlines():
        say(line)


@app.command("definitions")
def definitions(
    vhost: Annotated[str, typer.Option("--vhost", help="Virtual host to write them for.")] = "/",
    as_json: Json = True,
) -> None:
    """The same as definitions that RabbitMQ imports; always JSON."""
    from leadbus import topology

    print_json(topology.definitions(vhost))
