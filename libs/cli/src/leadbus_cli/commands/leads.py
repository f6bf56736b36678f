"""``leadbus lead``: leads, and the whole story of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.asking import given, read_line
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.output import Json, Limit, listing, print_json
from leadbus_cli.stories import TEST_MARK, gather, tell

app = typer.Typer(help="Leads and their stories.", no_args_is_help=True)

_COLUMNS = ("lead_id", "revision", "source", "account", "dealer", "state", "test", "received_at")

Dealer = Annotated[str | None, typer.Option("--dealer", help="Name of a Dealer setting.")]
Source = Annotated[str | None, typer.Option("--source")]
State = Annotated[str | None, typer.Option("--state", help="waiting, delivered, failed or unrouted.")]
Vin = Annotated[str | None, typer.Option("--vin", help="VIN of one of its vehicles.")]
Since = Annotated[str | None, typer.Option("--since", help="Received then or later, with offset.")]
Until = Annotated[str | None, typer.Option("--until", help="Received before, with offset.")]
Test = Annotated[bool | None, typer.Option("--test/--no-test", help="Only, or no, test leads.")]


@app.command("list")
def list_(
    dealer: Dealer = None,
    source: Source = None,
    state: State = None,
    vin: Vin = None,
    since: Since = None,
    until: Until = None,
    test: Test = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Leads, the latest first."""
    filters = {"dealer": dealer, "source": source, "state": state, "vin": vin}
    found = _normalizer().items("v1", "leads", limit=limit, **filters, since=since, until=until, test=test)
    _print(found, as_json=as_json)


@app.command("find")
def find(
    phone: Annotated[str | None, typer.Option("--phone", help="- reads it from standard input.")] = None,
    email: Annotated[str | None, typer.Option("--email", help="- reads it from standard input.")] = None,
    country: Annotated[
        str | None, typer.Option("--country", help="Where the phone would be dialled so, such as US.")
    ] = None,
    dealer: Dealer = None,
    source: Source = None,
    state: State = None,
    vin: Vin = None,
    since: Since = None,
    until: Until = None,
    test: Test = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Leads of a person, the latest first; for operators, audited.

    Without --phone and --email it asks for them, so that they stand in no shell history.
    """
    if phone is None and email is None:
        phone, email = read_line("phone", needed=False), read_line("email", needed=False)
        if phone is None and email is None:
            raise CliError(
                "whom? Give a phone number, an e-mail address, or both;"
                " without a person it is `leadbus lead list`"
            )
    asked = {
        "phone": given("phone", phone),
        "email": given("email", email),
        "country": country,
        "dealer": dealer,
        "source": source,
        "state": state,
        "vin": vin,
        "since": since,
        "until": until,
        "test": test,
    }
    _print(_normalizer().found("v1", "leads", "find", limit=limit, body=asked), as_json=as_json)


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


def _normalizer() -> ServiceApi:
    return Deployment.find().service("normalizer")


def _print(found: Iterable[Mapping[str, Any]], *, as_json: bool) -> None:
    rows = found if as_json else ({**row, "test": TEST_MARK if row.get("test") else None} for row in found)
    listing(rows, _COLUMNS, as_json=as_json)
