"""Mails of deliveries that one commit planned and started, for the moment until their tries want them."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from leadbus.delivery import Job

from adf_mailer.store.mails import NewMail, Posted

KEPT_SECONDS = 1.0
"""Longer than a loop needs to come to a try, and no longer than consent may be out of date."""
MOST = 200
"""More than an engine starts at once; what is over is forgotten, and read from the database."""


class JustPlanned:
    """Spares the first try, right after the commit that decided it, from reading that commit back."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: dict[UUID, tuple[float, Posted]] = {}

    def keep(self, mail: NewMail, posted: Posted) -> None:
        """`posted` is what the commit knew of `mail`'s delivery."""
        if len(self._kept) >= MOST:
            self._kept.clear()
        self._kept[mail.delivery_id] = (self._now() + KEPT_SECONDS, posted)

    def take(self, job: Job) -> Posted | None:
        """What was kept for this try; None when the database has to be asked."""
        until, posted = self._kept.pop(job.delivery_id, (0.0, None))
        first = job.attempt == 1 and not job.repeat and not job.in_doubt
        return posted if first and self._now() < until else None
