"""``leadbus adf``: setting a dealer's ADF route up, trying it out, and what comes back of its mails."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.commands import adf_addresses, adf_trying
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.output import Json, Limit, facts, listing, print_body, print_json, say, table

app = typer.Typer(help="ADF mails to dealers' CRMs.", no_args_is_help=True)

app.command("addresses")(adf_addresses.addresses)
app.command("resume-address")(adf_addresses.resume_address)
app.command("preview")(adf_trying.preview)
app.command("test")(adf_trying.send_test)
app.command("silence")(adf_trying.silence)

_BOUNCES = (
    "id",
    "received_at",
    "kind",
    "verdict",
    "reason",
    "status",
    "became",
    "delivery_id",
    "dealer",
    "reporting_mta",
)
_SUGGESTIONS = ("address", "pattern", "vehicles", "missing", "told")


@app.command("vendors")
def vendors(as_json: Json = False) -> None:
    """CRM vendors, and the forms of the addresses that they are known to give."""
    found = _mailer().get("v1", "crm-vendors")["items"]
    if as_json:
        print_json({"items": found})
        return
    rows = [
        {"vendor": one["name"], "profile": one["profile"], **pattern}
        for one in found
        for pattern in one["patterns"] or [{"pattern": "unknown", "vehicles": None, "told": None}]
    ]
    listing(rows, ("vendor", "pattern", "vehicles", "told", "profile"), as_json=False)


@app.command("profiles")
def profiles(as_json: Json = False) -> None:
    """Forms of mail that receivers are known to take, for `form.profile` of a route."""
    found = _mailer().get("v1", "crm-profiles")["items"]
    if as_json:
        print_json({"items": found})
        return
    rows = [one | {"form": _said(one), "vendors": ", ".join(one["vendors"])} for one in found]
    listing(rows, ("name", "form", "vendors", "known", "why"), as_json=False)


def _said(profile: dict[str, Any]) -> str:
    """What it says and no more: `layout=body subject={dealer_name}`."""
    form = {name: value for name, value in profile["form"].items() if value is not None}
    wanted = {"subject": "".join(f"{{{name}}}" for name in profile["subject"])} if profile["subject"] else {}
    return " ".join(f"{name}={_plain(value)}" for name, value in (form | wanted).items())


def _plain(value: object) -> str:
    return ("off", "on")[value] if isinstance(value, bool) else str(value)


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
    if not found:
        say(f"no form of address is known of {vendor}: ask it")
        return
    table(found, _SUGGESTIONS)
    say("suggestions only: ask the vendor for the address, and send a test lead")


@app.command("bounces")
def bounces(
    unmatched: Annotated[
        bool | None, typer.Option("--unmatched/--matched", help="Of no mail that is known, or only others.")
    ] = None,
    delivery: Annotated[str | None, typer.Option("--delivery", help="Id of a delivery.")] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="delivery_status, adf, free_text, complaint, unknown.")
    ] = None,
    verdict: Annotated[
        str | None, typer.Option("--verdict", help="permanent, transient, delayed, confirmed, …")
    ] = None,
    dealer: Annotated[str | None, typer.Option("--dealer")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """What came back to the return path, the newest first."""
    asked = {
        "unmatched": unmatched,
        "delivery_id": delivery,
        "kind": kind,
        "verdict": verdict,
        "dealer": dealer,
    }
    listing(_mailer().items("v1", "bounces", limit=limit, **asked), _BOUNCES, as_json=as_json)


@app.command("bounce")
def bounce(
    bounce_id: Annotated[str, typer.Argument(metavar="ID", help="As `leadbus adf bounces` lists it.")],
    raw: Annotated[bool, typer.Option("--raw", help="Its bytes. Who looked is put on record.")] = False,
    as_json: Json = False,
) -> None:
    """One of them, and what the other side said."""
    mailer = _mailer()
    found = mailer.find("v1", "bounces", bounce_id)
    if found is None:
        raise CliError(f"there is no bounce {bounce_id}")
    if raw:
        body = mailer.request("GET", "v1", "bounces", bounce_id, "raw").content
        print_body(body, found, as_json=as_json)
    elif as_json:
        print_json(found)
    else:
        facts(found)


def _mailer() -> ServiceApi:
    return Deployment.find().service("adf-mailer")
