"""What is wrong with the token that all questions were asked with. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from leadbus_cli.doctor.findings import Finding, or_ok, warning, wrong
from leadbus_cli.doctor.seen import TokenSeen

SOON = timedelta(hours=1)
_CHECK, _SUBJECT = "token", "LEADBUS_TOKEN"
_MAKE = "`leadbus token create --role operator --subject WHO`, or a new one from the identity provider"


def judge_token(token: TokenSeen | None, now: datetime) -> list[Finding]:
    """Its form, its times and its signature as far as they can be seen here."""
    if token is None:
        return [wrong(_CHECK, _SUBJECT, "there is none", f"set LEADBUS_TOKEN: {_MAKE}")]
    if token.claims is None:
        return [wrong(_CHECK, _SUBJECT, "it is no signed token", f"set LEADBUS_TOKEN: {_MAKE}")]
    expires = _moment(token.claims.get("exp"))
    until = f"until {expires:%Y-%m-%d %H:%M} UTC" if expires else ""
    who = f"of {token.claims.get('sub', 'nobody')}"
    return or_ok(_found(token, expires, now), _CHECK, _SUBJECT, f"{who}, valid {until}")


def _found(token: TokenSeen, expires: datetime | None, now: datetime) -> Iterator[Finding]:
    if expires is None:
        yield wrong(_CHECK, _SUBJECT, "it says not how long it is valid", _MAKE)
    elif expires <= now:
        yield wrong(_CHECK, _SUBJECT, f"it ended at {expires:%Y-%m-%d %H:%M} UTC", _MAKE)
    elif expires - now < SOON:
        minutes = int((expires - now).total_seconds() // 60)
        yield warning(_CHECK, _SUBJECT, f"it ends in {minutes} minutes", _MAKE)
    if token.verified is False:
        yield warning(
            _CHECK,
            _SUBJECT,
            "it was not signed with the token key that is here",
            "take both from the same installation",
        )


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        return None
