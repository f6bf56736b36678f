"""The answer to a replay."""

from collections.abc import Awaitable
from typing import Literal
from uuid import UUID

from leadbus.web import Problem, problem_type
from pydantic import BaseModel, Field

from normalizer.deciding import Change
from normalizer.quarantining import ClosedEntryError, PrunedRawError, Replayed, UnknownRawError

CLOSED = problem_type(
    "quarantine-closed",
    409,
    "The entry is closed",
    "The quarantined message was released or discarded before.",
    "Nothing to do for a released one; a discarded one stays so, its bytes are still kept.",
)


PRUNED = problem_type(
    "raw-gone",
    410,
    "The raw message is gone",
    "Its bytes were kept for `NORMALIZER_RETENTION_RAW_DAYS`; that it came, and the lead it made, are known.",
    "Nothing can be read from it again. Whoever sent it may send it again, under a new id.",
)


class ReplayResult(BaseModel):
    """What processing the raw message again came to."""

    outcome: Literal["normalized", "quarantined"]
    change: Change | None = Field(
        None, description="What it did to the lead; waiting: it tells more of one that has not come."
    )
    lead_id: UUID | None = None
    revision: int | None = Field(None, description="Where the lead stands now.")
    reason: str | None = Field(None, description="Why it is in quarantine still.")
    field: str | None = None
    value_kind: str | None = None
    detail: str | None = None


async def replayed(replay: Awaitable[Replayed]) -> ReplayResult:
    """Wait for `replay`. Raises Problem raw-gone, not-found, quarantine-closed."""
    try:
        done = await replay
    except PrunedRawError:
        raise Problem(PRUNED) from None
    except UnknownRawError:
        raise Problem("not-found") from None
    except ClosedEntryError as error:
        raise closed(error) from None
    if done.verdict is None:
        return ReplayResult(
            outcome="normalized", change=done.change, lead_id=done.lead_id, revision=done.revision
        )
    verdict = done.verdict
    return ReplayResult(
        outcome="quarantined",
        reason=verdict.reason,
        field=verdict.field,
        value_kind=verdict.value_kind,
        detail=verdict.detail,
    )


def closed(error: ClosedEntryError) -> Problem:
    return Problem(CLOSED, f"it was {error.state}", state=error.state)
