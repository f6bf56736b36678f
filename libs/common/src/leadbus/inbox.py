"""Has this consumer seen this message before? Asked in the same transaction as the message's effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, ClassVar, TypeAlias

import asyncpg
from sqlalchemy import Column, DateTime, Index, MetaData, Text
from sqlmodel import Field, SQLModel

from leadbus import checkpoint
from leadbus.db import Connection, Part, at_once

metadata = MetaData()

DDL_V1 = """
DO $ddl$ BEGIN
CREATE TABLE inbox (
    consumer text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    seen_at timestamptz NOT NULL,
    forget_at timestamptz,
    PRIMARY KEY (consumer, source, account, id)
);
CREATE INDEX inbox_seen_at ON inbox USING brin (seen_at);
END $ddl$
"""
"""Frozen: what a service's migration executes. Later versions are added beside it."""

INDEXES_V2 = {"inbox_seen": "inbox (seen_at)"}
"""Frozen, for `leadbus.db.migrations.build_indexes`: once rows are pruned, new ones take their places, and a
BRIN index finds the oldest no more."""

Identity: TypeAlias = tuple[str, str, str]


class Inbox(SQLModel, table=True):
    """One message that a consumer took."""

    __tablename__ = "inbox"
    __table_args__ = (
        Index("inbox_seen_at", "seen_at", postgresql_using="brin"),
        Index("inbox_seen", "seen_at"),
    )
    metadata: ClassVar[MetaData] = metadata

    consumer: str = Field(sa_column=Column(Text(collation="C"), primary_key=True))
    source: str = Field(sa_column=Column(Text(collation="C"), primary_key=True))
    account: str = Field(sa_column=Column(Text(collation="C"), primary_key=True))
    id: str = Field(sa_column=Column(Text(collation="C"), primary_key=True))
    digest: str = Field(sa_column=Column(Text(collation="C"), nullable=False))
    seen_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    forget_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


class Seen(Enum):
    """What the inbox says of a message."""

    NEW = "new"
    DUPLICATE = "duplicate"
    """Same identity, same content: it changes nothing."""
    REUSED = "reused"
    """Same identity, other content: one of the two lies; quarantine it as ``id_reused``."""


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """Identity and content digest of one message.

    ``window_seconds`` limits for how long the identity is remembered (messages whose id is only a digest of
    their body); None remembers it until pruned.
    """

    source: str
    account: str
    id: str
    digest: str
    window_seconds: int | None = None

    @property
    def identity(self) -> Identity:
        return (self.source, self.account, self.id)


# Sorted, so that two consumers with overlapping batches wait for each other in the same order.
_CLAIM = """
claimed AS (
    INSERT INTO inbox AS known (consumer, source, account, id, digest, seen_at, forget_at)
    SELECT $1, source, account, id, digest, $2::timestamptz,
        $2::timestamptz + make_interval(secs => window_seconds)
    FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::int[])
        AS entry (source, account, id, digest, window_seconds)
    ORDER BY source COLLATE "C", account COLLATE "C", id COLLATE "C"
    ON CONFLICT (consumer, source, account, id) DO UPDATE
        SET digest = excluded.digest, seen_at = excluded.seen_at, forget_at = excluded.forget_at
        WHERE known.forget_at <= excluded.seen_at
    RETURNING source, account, id
)
"""
_CLAIMED = "ARRAY(SELECT ARRAY[source, account, id] FROM claimed) AS claimed"

# Sorted for the same reason.
_CLAIM_NEW = """
claimed AS (
    INSERT INTO inbox (consumer, source, account, id, digest, seen_at, forget_at)
    SELECT $1, source, account, id, digest, $2::timestamptz,
        $2::timestamptz + make_interval(secs => window_seconds)
    FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::int[])
        AS entry (source, account, id, digest, window_seconds)
    ORDER BY source COLLATE "C", account COLLATE "C", id COLLATE "C"
    RETURNING source, account, id
)
"""
_CLAIMED_NEW = "(SELECT count(*) FROM claimed) AS claimed_new"

_RECOGNISE = """
recognised AS (
    SELECT source, account, id
    FROM unnest($2::text[], $3::text[], $4::text[]) AS entry (source, account, id)
    JOIN inbox USING (source, account, id)
    WHERE consumer = $1
)
"""
_RECOGNISED = "ARRAY(SELECT ARRAY[source, account, id] FROM recognised) AS recognised"

_KNOWN_DIGESTS = """
SELECT source, account, id, digest
FROM inbox JOIN unnest($2::text[], $3::text[], $4::text[]) AS entry (source, account, id)
    USING (source, account, id)
WHERE consumer = $1
"""


_PRUNE = """
DELETE FROM inbox WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM inbox WHERE seen_at < $1 ORDER BY seen_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""


async def claim(
    conn: Connection, consumer: str, entries: Sequence[InboxEntry], *, now: datetime | None = None
) -> list[Seen]:
    """Remember ``entries`` and say for each, in order, whether it is new.

    One statement, and a second one only when something was known already. Of the same identity twice in
    one call the first counts. ``conn`` must be in the READ COMMITTED transaction that also holds the effect:
    a concurrent claim of the same identity waits for it. ``now`` is the injected clock's time.
    """
    if not entries:
        return []
    claiming = Claim(consumer, entries, now or datetime.now(UTC))
    return await claiming.answers(conn, await at_once(conn, claiming.part))


def recognising(consumer: str, entries: Sequence[InboxEntry]) -> Part:
    """Look, and write nothing: ``recognised`` tells the identities that have been seen, forgotten or not.

    What it does not tell may be claimed by another consumer the moment after.
    """
    arguments = (
        consumer,
        [entry.source for entry in entries],
        [entry.account for entry in entries],
        [entry.id for entry in entries],
    )
    return Part(_RECOGNISE, arguments, _RECOGNISED)


def claiming_new(consumer: str, entries: Sequence[InboxEntry], now: datetime) -> Part:
    """Remember ``entries``, of which all have to be new: for what is one statement and its own transaction.

    The whole statement fails with ``asyncpg.UniqueViolationError`` when one of them has been seen, or stands
    there twice; of what another transaction is just claiming, when that one is committed.
    """
    return Part(_CLAIM_NEW, _claim_arguments(consumer, entries, now), _CLAIMED_NEW)


class Claim:
    """``claim`` as a part of a larger statement: have ``part`` executed, then ask for the ``answers``.

    Another part that joins ``claimed (source, account, id)`` works for those messages only that are new.
    """

    def __init__(self, consumer: str, entries: Sequence[InboxEntry], now: datetime) -> None:
        self._consumer = consumer
        self._entries = entries
        self._first: dict[Identity, InboxEntry] = {}
        for entry in entries:
            self._first.setdefault(entry.identity, entry)
        self.part = Part(_CLAIM, _claim_arguments(consumer, list(self._first.values()), now), _CLAIMED)

    async def answers(self, conn: Connection, row: asyncpg.Record) -> list[Seen]:
        """What ``claim`` returns, from the row of the statement."""
        checkpoint.passed("inbox.claimed")
        fresh: set[Identity] = set(map(tuple, row["claimed"]))
        digests = {identity: self._first[identity].digest for identity in fresh}
        if len(fresh) < len(self._first):
            known = [identity for identity in self._first if identity not in fresh]
            digests |= await _known_digests(conn, self._consumer, known)
        return [self._answer(entry, fresh, digests) for entry in self._entries]

    def _answer(self, entry: InboxEntry, fresh: set[Identity], digests: Mapping[Identity, str]) -> Seen:
        if entry.identity in fresh:
            fresh.discard(entry.identity)
            return Seen.NEW
        return Seen.DUPLICATE if digests[entry.identity] == entry.digest else Seen.REUSED


async def prune(conn: Connection, *, before: datetime, limit: int = 10_000) -> int:
    """Forget up to ``limit`` messages seen before that time; returns how many."""
    status = await conn.execute(_PRUNE, before, limit)
    return int(status.rpartition(" ")[2])


def _claim_arguments(consumer: str, entries: Sequence[InboxEntry], now: datetime) -> tuple[Any, ...]:
    return (
        consumer,
        now,
        [entry.source for entry in entries],
        [entry.account for entry in entries],
        [entry.id for entry in entries],
        [entry.digest for entry in entries],
        [entry.window_seconds for entry in entries],
    )


async def _known_digests(
    conn: Connection, consumer: str, identities: Sequence[Identity]
) -> dict[Identity, str]:
    # A statement of its own: its snapshot sees rows that another transaction committed while ours waited.
    sources, accounts, ids = zip(*identities, strict=True)
    rows = await conn.fetch(_KNOWN_DIGESTS, consumer, list(sources), list(accounts), list(ids))
    return {(row["source"], row["account"], row["id"]): row["digest"] for row in rows}
