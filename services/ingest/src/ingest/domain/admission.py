"""May the holder of a key give us something for a source?"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from ingest.domain.api_key import ApiKey, KeyState, KeyText
from ingest.domain.refusal import Reason, Refusal


class Door(Protocol):
    """What the operator decided about a source."""

    @property
    def enabled(self) -> bool: ...
    @property
    def allow_test(self) -> bool: ...
    def serves(self, account: str) -> bool: ...


def legible(presented: KeyText | None) -> KeyText:
    """The presented key, if it can be one of ours; else Refusal ``key_invalid``: nothing need be asked."""
    if presented is None:
        raise _invalid()
    return presented


def authenticate(presented: KeyText, stored: ApiKey | None, now: datetime) -> ApiKey:
    """The stored key, if it is the presented one and active; else Refusal ``key_invalid``.

    The answer does not tell an unknown key from an expired or revoked one.
    """
    if stored is None or not presented.matches(stored.digest) or stored.state(now) is not KeyState.ACTIVE:
        raise _invalid()
    return stored


def admit(key: ApiKey, source: str, door: Door | None, *, test: bool) -> None:
    """Raise Refusal unless ``key`` may bring something to ``source`` now."""
    if key.source != source:
        raise Refusal(Reason.KEY_OF_OTHER_SOURCE, "The API key belongs to another source.")
    if door is None:
        raise Refusal(Reason.UNKNOWN_SOURCE, "There is no such source.")
    if not door.enabled:
        raise Refusal(Reason.SOURCE_DISABLED, "The source is switched off.")
    if not door.serves(key.account):
        raise Refusal(Reason.ACCOUNT_NOT_SERVED, "The account of this API key is not served any more.")
    if test and not door.allow_test:
        raise Refusal(Reason.TEST_NOT_ALLOWED, "The source takes no test messages.")


def _invalid() -> Refusal:
    return Refusal(Reason.KEY_INVALID, "The API key is not known or no longer valid.")
