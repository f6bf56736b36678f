"""``leadbus consent``: noting that a person said yes or no, where they stand, and links to say yes by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.asking import given
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.identifiers import uuid_of
from leadbus_cli.output import Json, facts, heading, print_json, say, table

app = typer.Typer(help="Whether a person may be contacted, and what for.", no_args_is_help=True)

_STANDINGS = ("purpose", "state", "at", "contact", "words")
_ACTS = (
    *("at", "action", "purposes", "contact", "told_by", "actor"),
    *("evidence", "lead_id", "recorded_at", "applied_at"),
)

Lead = Annotated[
    str | None, typer.Argument(metavar="[LEAD]", help="One of the person's leads; else --phone, --email.")
]
Phone = Annotated[str | None, typer.Option("--phone", help="- reads it from standard input.")]
Email = Annotated[str | None, typer.Option("--email", help="- reads it from standard input.")]
Country = Annotated[
    str | None, typer.Option("--country", help="Where the phone would be dialled so, such as US.")
]
Purpose = Annotated[
    list[str] | None, typer.Option("--purpose", help="reply, sales, nurture or marketing; may be repeated.")
]
At = Annotated[str | None, typer.Option("--at", help="When it was said, with offset; now if not given.")]
Words = Annotated[str | None, typer.Option("--words", help="The words agreed to, or said.")]
Evidence = Annotated[str | None, typer.Option("--evidence", help="Where the proof is: a ticket, a letter.")]


@app.command("grant")
def grant(
    lead: Lead = None,
    purpose: Purpose = None,
    phone: Phone = None,
    email: Email = None,
    country: Country = None,
    at: At = None,
    words: Words = None,
    evidence: Evidence = None,
    as_json: Json = False,
) -> None:
    """Note that a person permitted something. Whoever withdrew before stays withdrawn."""
    if not purpose:
        raise CliError("what for? Say --purpose reply, sales, nurture or marketing")
    _act("grant", _whom(lead, phone, email, country), purpose, at, words, evidence, as_json=as_json)


@app.command("withdraw")
def withdraw(
    lead: Lead = None,
    purpose: Purpose = None,
    phone: Phone = None,
    email: Email = None,
    country: Country = None,
    at: At = None,
    words: Words = None,
    evidence: Evidence = None,
    as_json: Json = False,
) -> None:
    """Note that a person refused: everything, unless --purpose says what. It is final."""
    _act("withdraw", _whom(lead, phone, email, country), purpose, at, words, evidence, as_json=as_json)


@app.command("show")
def show(
    lead: Lead = None,
    phone: Phone = None,
    email: Email = None,
    country: Country = None,
    as_json: Json = False,
) -> None:
    """Where a person stands, and what was said when; audited."""
    story = _normalizer().post("v1", "consents", "find", body=_whom(lead, phone, email, country))
    if as_json:
        print_json(story)
        return
    _tell(story["standings"])
    if story["acts"]:
        heading("acts, the latest first")
        table(story["acts"], _ACTS)


@app.command("link")
def link(
    lead: Annotated[str, typer.Argument(metavar="LEAD")],
    purpose: Annotated[str, typer.Option("--purpose")] = "nurture",
    days: Annotated[int, typer.Option("--days", min=1, max=365, help="How long it can be used.")] = 30,
    as_json: Json = False,
) -> None:
    """Make the link of an opt-in mail to the lead's person. Whoever has it can say yes in their name."""
    body = {"purpose": purpose, "days": days}
    made = _normalizer().post("v1", "leads", _lead_id(lead), "opt-in", body=body)
    if as_json:
        print_json(made)
    else:
        facts({"link": made["url"] or made["path"], **{name: made[name] for name in ("expires_at", "words")}})


def _act(
    action: str,
    whom: Mapping[str, str],
    purposes: list[str] | None,
    at: str | None,
    words: str | None,
    evidence: str | None,
    *,
    as_json: bool,
) -> None:
    told = {"at": at, "words": words, "evidence": evidence}
    said = {name: value for name, value in told.items() if value is not None}
    body = {**whom, "action": action, "purposes": purposes or [], **said}
    recorded = _normalizer().post("v1", "consents", body=body)
    if as_json:
        print_json(recorded)
        return
    say(f"act {recorded['act_id']} {'is recorded' if recorded['new'] else 'was recorded before'}")
    _tell(recorded["standings"])


def _tell(standings: list[dict[str, Any]]) -> None:
    if standings:
        table(standings, _STANDINGS)
    else:
        say("nothing was said")


def _whom(lead: str | None, phone: str | None, email: str | None, country: str | None) -> dict[str, str]:
    if (lead is None) == (phone is None and email is None):
        raise CliError("whom? Give a lead, or --phone, --email or both; - reads from standard input")
    whom = {
        "lead_id": _lead_id(lead) if lead is not None else None,
        "phone": given("phone", phone),
        "email": given("email", email),
        "country": country,
    }
    return {name: value for name, value in whom.items() if value is not None}


def _lead_id(lead: str) -> str:
    if uuid_of(lead) is None:
        raise CliError(f"{lead} is no lead id")
    return lead


def _normalizer() -> ServiceApi:
    return Deployment.find().service("normalizer")
