"""Is an offered body new, a repeat of one already taken, or another body under a used key?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ingest.domain.raw import Receipt


class Verdict(StrEnum):
    """What becomes of an offer."""

    NEW = "new"
    SAME_KEY = "idempotency_key"
    SAME_CONTENT = "content"
    KEY_REUSED = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and the earlier message it rests on."""

    verdict: Verdict
    first: Receipt | None = None


def judge(
    digest: bytes,
    *,
    test: bool,
    by_key: Receipt | None,
    by_content: Receipt | None,
    now: datetime,
    window_seconds: int,
) -> Judgement:
    """Decide from the message the same Idempotency-Key stands for and the newest one with the same body.

    Both are of the same source and account. A test message and a real one are never the same, however
    equal their bodies: a sender who tries the door first must not lose the lead that follows.
    """
    if by_key is not None:
        same = by_key.digest == digest and by_key.test == test
        return Judgement(Verdict.SAME_KEY if same else Verdict.KEY_REUSED, by_key)
    if (
        by_content is not None
        and by_content.digest == digest
        and by_content.test == test
        and now - by_content.accepted_at < timedelta(seconds=window_seconds)
    ):
        return Judgement(Verdict.SAME_CONTENT, by_content)
    return Judgement(Verdict.NEW)
