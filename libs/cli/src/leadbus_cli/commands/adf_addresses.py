"""``leadbus adf addresses`` and ``resume-address``: XML Lead Addresses that refuse our mails."""

from __future__ import annotations

from typing import Annotated

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.deployment import Deployment
from leadbus_cli.output import Json, Limit, listing, print_json, say

_COLUMNS = (
    "address",
    "reason",
    "refusals",
    "refusing_since",
    "refused_at",
    "suspended",
    "suspended_at",
    "probe_at",
)


def addresses(
    suspended: Annotated[
        bool | None,
        typer.Option(
            "--suspended/--not-suspended", help="Those whose leads wait or go elsewhere, or others."
        ),
    ] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Addresses that refused mails, and why; one that takes a mail, and gives none back, leaves the list."""
    found = _mailer().items("v1", "addresses", limit=limit, suspended=suspended)
    listing(found, _COLUMNS, as_json=as_json)


def resume_address(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="As `leadbus adf addresses` lists it.")],
    as_json: Json = False,
) -> None:
    """Say that an address was mended: what waits for it is tried now."""
    resumed = _mailer().post("v1", "addresses", address, "resume")
    if as_json:
        print_json(resumed)
    else:
        waited = resumed["due"] or "no"
        leads = "lead" if waited == 1 else "leads"
        say(f"{resumed['address']} is resumed; {waited} {leads} waited for it")


def _mailer() -> ServiceApi:
    return Deployment.find().service("adf-mailer")
