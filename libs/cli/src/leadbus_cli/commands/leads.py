"""``leadbus lead``: leads, and the whole story of one."""

from __future__ import annotations

from typing import Annotated

import typer

from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.output import Json, Limit, listing, print_json
from leadbus_cli.stories import gather, tell

app = typer.Typer(help="Leads and their stories.", no_args_is_help=True)

_COLUMNS = ("lead_id", "revision", "source", "account", "dealer", "state", "test", "received_at")


@app.command("list")
def list_(
    dealer: Annotated[str | None, typer.Option("--dealer", help="Name of a Dealer setting.")] = None,
    source: Annotated[str | None, typer.Option("--source")] = None,
    state: Annotated[str | None, typer.Option("--state", help="What the sinks made of it.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Received then or later, with offset.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Received before, with offset.")] = None,
    test: Annotated[bool | None, typer.Option("--test/--no-test", help="Only, or no, test leads.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Leads, the latest first."""
    found = (
        Deployment.find()
        .service("normalizer")
        .items(
            "v1",
            "leads",
            limit=limit,
            dealer=dealer,
            source=source,
            state=state,
            since=since,
            until=until,
            test=test,
        )
    )
    listing(found, _COLUMNS, as_json=as_json)


@app.command("show")
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Lead id, or id of a raw message.")],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="With personal data; for operators, audited.")
    ] = False,
    as_json: Json = False,
) -> None:
    """The whole story: raw messages, revisions, deliveries, tries and answers."""
    story = gather(Deployment.find(), id_, reveal=reveal)
    if as_json:
        print_json(story)
    else:
        tell(story)
    if story["missing"]:
        raise CliError(*story["missing"])
