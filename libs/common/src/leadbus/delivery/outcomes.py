"""What a sink says about one try. Reasons are short codes; answers are what the other side said.

Codes are lower-case words with underscores (``mailbox_unknown``) and end up in events and lists. Answers are
kept with the attempt for operators, cut at ``ANSWER_LIMIT`` characters; they go into no event, log or label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

ANSWER_LIMIT = 2000
HELD = "held"
"""The word for ``Held``; stored, because it says whether the next hold joins the last try."""


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
    ``pace`` names the waits of the schedule that fit this answer; without it, or where the schedule knows
    no such pace, its default ones.
    """

    reason: str
    after_seconds: float | None = None
    answer: str = ""
    destination_down: bool = False
    destination_heard: bool = True
    pace: str | None = None


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
class Held:
    """Nothing was tried: it is not this delivery's turn, for a cause that lies with us.

    It waits at least ``after_seconds``, burns no step of the schedule, and says nothing of the destination.
    Holds that follow one another count as one try.
    """

    reason: str
    after_seconds: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """Decided at the moment of acting not to deliver: ``consent``, ``filtered``."""

    reason: str


Outcome: TypeAlias = Delivered | Transient | Suspended | Permanent | Ambiguous | Held | Skipped


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
        case Held():
            return HELD
        case Skipped():
            return "skipped"


def reason_of(outcome: Outcome) -> str | None:
    return None if isinstance(outcome, Delivered) else outcome.reason


def answer_of(outcome: Outcome) -> str:
    """What the other side said; nothing where it was not asked."""
    return "" if isinstance(outcome, Held | Skipped) else outcome.answer
