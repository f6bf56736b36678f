"""What a sink says about one try. Reasons are short codes; answers are what the other side said.

Codes are lower-case words with underscores (``mailbox_unknown``) and end up in events and lists. Answers are
kept with the attempt for operators, cut at ``ANSWER_LIMIT`` characters; they go into no event, log or label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

ANSWER_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side took it."""

    answer: str = ""


@dataclass(frozen=True, slots=True)
class Transient:
    """Certainly not taken, and trying again may help.

    ``after_seconds`` is what the other side asked for. With ``destination_down`` the fault is the host's or
    the account's, not this delivery's: the breaker counts it and the delivery's tries do not burn.
    Without ``destination_heard`` the try ended on our side, before the destination could say anything.
    """

    reason: str
    after_seconds: float | None = None
    answer: str = ""
    destination_down: bool = False
    destination_heard: bool = True


@dataclass(frozen=True, slots=True)
class Suspended:
    """Certainly not taken, and nothing will be until a person mends the host, the account or our settings.

    Login refused, certificate not trusted, consent to an account withdrawn. The destination is suspended at
    once, its deliveries wait and burn no tries.
    """

    reason: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Permanent:
    """Certainly not taken, and the same again would be refused again."""

    reason: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """It may or may not have been taken: the answer to the deciding step is missing."""

    reason: str
    answer: str = ""
    destination_down: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """Decided at the moment of acting not to deliver: ``consent``, ``filtered``."""

    reason: str


Outcome: TypeAlias = Delivered | Transient | Suspended | Permanent | Ambiguous | Skipped


def code_of(outcome: Outcome) -> str:
    """The word for an outcome in attempts, log lines and metrics."""
    match outcome:
        case Delivered():
            return "delivered"
        case Transient(destination_down=True):
            return "destination_down"
        case Transient():
            return "transient"
        case Suspended():
            return "suspended"
        case Permanent():
            return "refused"
        case Ambiguous():
            return "ambiguous"
        case Skipped():
            return "skipped"


def reason_of(outcome: Outcome) -> str | None:
    return None if isinstance(outcome, Delivered) else outcome.reason
