"""``leadbus token``: signed tokens for development and small installs."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

import typer

from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.output import Json, print_json, say

app = typer.Typer(help="Tokens for the services' APIs.", no_args_is_help=True)


class Role(StrEnum):
    """What a token may do; each includes the one before."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@app.callback()
def group() -> None:
    """Tokens for the services' APIs."""


@app.command("create")
def create(
    role: Annotated[Role, typer.Option("--role", help="What the token may do.")],
    subject: Annotated[str, typer.Option("--subject", help="Who it speaks for; written into every audit.")],
    dealers: Annotated[
        str | None, typer.Option("--dealers", help="Only these dealers, separated by commas.")
    ] = None,
    ttl: Annotated[str, typer.Option("--ttl", help="How long: seconds, or 30m, 8h, 7d.")] = "8h",
    as_json: Json = False,
) -> None:
    """Sign a token with the static key of LEADBUS_TOKEN_KEY, LEADBUS_TOKEN_KEY_FILE or `make up`."""
    # Imported late: the signer brings the whole web framework along.
    from leadbus.web.tokens import sign_token
    from pydantic import SecretStr

    seconds = _seconds(ttl)
    key = Deployment.find().token_key
    if key is None:
        raise CliError("no key to sign with: set LEADBUS_TOKEN_KEY or LEADBUS_TOKEN_KEY_FILE")
    named = None if dealers is None else [name.strip() for name in dealers.split(",") if name.strip()]
    try:
        token = sign_token(SecretStr(key), subject, role.value, named, seconds)
    except ValueError as error:
        raise CliError(str(error)) from None
    if as_json:
        print_json(
            {"token": token, "role": role.value, "subject": subject, "dealers": named, "ttl_seconds": seconds}
        )
    else:
        say(token)


def _seconds(ttl: str) -> int:
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", ttl, re.ASCII)
    if match is None:
        raise typer.BadParameter("seconds, or a number with s, m, h or d", param_hint="--ttl")
    return int(match[1]) * _UNITS[match[2] or "s"]
