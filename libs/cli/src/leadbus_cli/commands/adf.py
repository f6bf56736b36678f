"""``leadbus adf``: setting a dealer's ADF route up, and trying it out."""

from __future__ import annotations

from typing import Annotated

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.commands import adf_trying
from leadbus_cli.deployment import Deployment
from leadbus_cli.output import Json, listing, print_json, say, table

app = typer.Typer(help="ADF mails to dealers' CRMs.", no_args_is_help=True)

app.command("preview")(adf_trying.preview)
app.command("test")(adf_trying.send_test)
app.command("silence")(adf_trying.silence)

_SUGGESTIONS = ("address", "pattern", "vehicles", "missing", "told")


@app.command("vendors")
def vendors(as_json: Json = False) -> None:
    """CRM vendors, and the forms of the addresses that they are known to give."""
    found = _mailer().get("v1", "crm-vendors")["items"]
    if as_json:
        print_json({"items": found})
        return
    rows = [{"vendor": one["name"], **pattern} for one in found for pattern in one["patterns"]]
    listing(rows, ("vendor", "pattern", "vehicles", "told"), as_json=False)


@app.command("suggest")
def suggest(
    vendor: Annotated[str, typer.Option("--vendor", help="As `leadbus adf vendors` lists it, in any case.")],
    dealer_name: Annotated[str | None, typer.Option("--dealer-name", help="As the dealer is called.")] = None,
    dealer_number: Annotated[
        str | None, typer.Option("--dealer-number", help="The dealer's number with the vendor.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Addresses that a vendor may have given to a dealer. Only the vendor knows: ask it."""
    found = _mailer().get(
        *("v1", "crm-vendors", "suggestions"),
        vendor=vendor,
        dealer_name=dealer_name,
        dealer_number=dealer_number,
    )["items"]
    if as_json:
        print_json({"items": found})
        return
    table(found, _SUGGESTIONS)
    say("suggestions only: ask the vendor for the address, and send a test lead")


def _mailer() -> ServiceApi:
    return Deployment.find().service("adf-mailer")
