"""What the engine hands to a sink, and what it expects of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from leadbus.delivery.outcomes import Outcome


class LeaseLost(Exception):  # noqa: N818 -- it names what happened; nobody made an error
    """The lease ran out and the delivery may be in other hands: stop before the deciding step."""


async def _not_leased() -> None:
    """A job made outside an engine (a test, a dry run) holds no lease."""


@dataclass(frozen=True, slots=True)
class Job:
    """One try of one delivery.

    ``attempt`` counts from 1 over the delivery's whole life. ``repeat_number`` is 0, or n for the n-th time
    an operator asked for something that had been accepted to be sent again; what makes the effect
    recognisable (a Message-ID) is made from ``delivery_id`` and ``repeat_number``, never from ``attempt``.
    ``test``: no real customer stands behind it, and it counts in no figure. ``in_doubt`` says that an
    earlier try of this repeat may have been taken: the same bytes must go out.
    """

    delivery_id: UUID
    key: str
    subject_id: str
    destination: str
    route: str
    attempt: int
    planned_at: datetime
    repeat_number: int = 0
    in_doubt: bool = False
    ordering_key: str | None = None
    deadline: datetime | None = None
    test: bool = False
    renew: Callable[[], Awaitable[None]] = field(default=_not_leased, repr=False, compare=False)
    """Call before the deciding step: makes sure that the lease lasts, raises LeaseLost when it is gone."""

    @property
    def repeat(self) -> bool:
        """An operator's repeat of an accepted delivery: what is sent has to say so."""
        return self.repeat_number > 0


class Sink(Protocol):
    """One kind of destination, spoken to by one service."""

    @property
    def name(self) -> str:
        """The service's name, such as ``adf-mailer``."""
        ...

    async def deliver(self, job: Job) -> Outcome:
        """Act, once, within the engine's act timeout.

        Consent and whatever else may forbid the act is read here (``Skipped``). The other side's answers are
        outcomes, never exceptions; what is raised anyway counts as Ambiguous, because nobody knows how far it
        came. Cancelled at the act timeout.
        """
        ...

    async def lookup(self, job: Job) -> Outcome | None:
        """Ask the other side whether it has this delivery, after an ambiguous try and before the next.

        ``Delivered`` when found; ``Transient`` when it cannot be asked now; None when it is certainly absent
        or cannot be asked at all, upon which ``deliver`` is called.
        """
        ...
