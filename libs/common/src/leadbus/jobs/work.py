"""What a kind of job has to say: what it would touch, and how it touches it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from pydantic import BaseModel

from leadbus.db import Connection, Database
from leadbus.jobs import store
from leadbus.jobs.store import Item, LeaseLost

__all__ = ["SAMPLE_SIZE", "Interrupted", "Item", "JobBroken", "Kind", "LeaseLost", "Plan", "Work"]

SAMPLE_SIZE = 10
"""How many of what it would touch a plan shows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would touch.

    ``sample`` holds a few of them, ids and codes only. ``bound`` fences the run: what comes later is not part
    of it. ``left_out`` counts what fits the filter and may not be touched.
    """

    total: int
    sample: Sequence[Mapping[str, Any]] = ()
    bound: Mapping[str, Any] = field(default_factory=dict)
    subject: str | None = None
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """A running job in the hands of one runner."""

    job_id: UUID
    kind: str
    filter: Mapping[str, Any]
    dealers: frozenset[str] | None
    reason: str | None
    actor: str
    batch_size: int
    total: int
    bound: Mapping[str, Any]
    reached: Mapping[str, Any] | None
    lease_token: UUID
    counted: store.Counts
    """As of when this runner took it; what it does itself is added by ``note``."""
    database: Database

    async def note(
        self,
        conn: Connection,
        *,
        done: int = 0,
        failed: int = 0,
        left_out: int = 0,
        last_error: str | None = None,
        reached: Mapping[str, Any] | None = None,
    ) -> None:
        """Count what the caller's transaction does, so that both are committed or neither.

        Raises LeaseLost when the job is somebody else's by now: the transaction must not be committed.
        """
        counts = store.Counts(done=done, failed=failed, left_out=left_out)
        await store.advance(conn, self.job_id, self.lease_token, counts, last_error, reached)

    async def items(self, conn: Connection, identities: Sequence[str]) -> dict[str, Item]:
        """What this job remembers of these."""
        return await store.items(conn, self.job_id, identities)

    async def remember(self, conn: Connection, items: Sequence[Item]) -> None:
        """Remember what became of these; the latest word counts."""
        await store.remember(conn, self.job_id, items)


class Kind(Protocol):
    """One kind of job. ``per_dealer``: its things belong to dealers, so that limited tokens may plan it."""

    @property
    def name(self) -> str: ...

    @property
    def filter(self) -> type[BaseModel]: ...

    @property
    def needs_reason(self) -> bool: ...

    @property
    def per_dealer(self) -> bool: ...

    async def plan(self, filter_: Any, dealers: frozenset[str] | None) -> Plan:
        """Count without touching. Raises Problem for what cannot be asked."""
        ...

    def run(self, work: Work) -> AsyncGenerator[int, None]:
        """Yields after each batch how many things had their turn; between batches the job may be ended.

        Raises JobBroken when it cannot go on, anything that ``is_unavailable`` knows to be tried again later.
        """
        ...


class Interrupted(Exception):  # noqa: N818 -- it names what happened
    """Another server is away; the job goes on when it is back."""


class JobBroken(Exception):  # noqa: N818 -- it names what happened
    """The job cannot go on; ``code`` is for the operator."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
