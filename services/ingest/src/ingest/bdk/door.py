"""Notifications: whose it is, what it is about, and the one transaction in which it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal
from uuid import UUID

from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.db import Connection, Database
from leadbus.log import logger
from leadbus.outbox import Outgoing
from pydantic import SecretStr

from ingest import arrivals
from ingest.bdk import content, raws
from ingest.bdk.content import Told, UnreadableContentError
from ingest.bdk.proof import proven
from ingest.bdk.reading import Wake
from ingest.bdk.setting import NotificationProof
from ingest.secret_reference import SecretUnreadableError, resolve
from ingest.store import bdk_connections, bdk_reads
from ingest.store.bdk_connections import InForce

_NOBODYS = NotificationProof(secrets=("env:NOBODYS",))
_NOBODYS_SECRET = SecretStr("of no connection")

_log = logger("bdk")


class NotTaken(StrEnum):
    """Why a notification was not taken."""

    PROOF_INVALID = "proof_invalid"
    DISABLED = "disabled"
    AMBIGUOUS = "ambiguous"
    UNREADABLE = "unreadable"


class NotTakenError(Exception):
    """``raw_id`` is under which the body is kept, where the sender proved who it is."""

    def __init__(self, why: NotTaken, detail: str, raw_id: UUID | None = None) -> None:
        super().__init__(detail)
        self.why = why
        self.detail = detail
        self.raw_id = raw_id


@dataclass(frozen=True, slots=True)
class Brought:
    """A notification at the door, shown in no ``repr``. Names of ``headers`` are in lower case."""

    body: bytes
    content_type: str
    headers: dict[str, str]
    correlation_id: str | None

    def __repr__(self) -> str:
        return f"Brought(size_bytes={len(self.body)})"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a notification came to. ``lead``: it brought the lead; ``to_fetch``: it told of one."""

    connection: str
    lead_id: str
    came_to: Literal["lead", "to_fetch"]
    repeated: bool
    raw_id: UUID | None


class NotificationDoor:
    """Stateless between requests; any number of replicas may stand before one database."""

    def __init__(self, database: Database, *, clock: Clock, outgoing: Outgoing, wake: Wake) -> None:
        self._database = database
        self._clock = clock
        self._outgoing = outgoing
        self._wake = wake

    async def take(self, brought: Brought, name: str | None) -> Taken:
        """Take it for the connection ``name``, or without one for the one whose secret proves it.

        When this returns, what it told is committed. Raises NotTakenError.
        """
        async with self._database.acquire() as conn:
            known = await bdk_connections.in_force(conn)
        connection = _whose([one for one in known if name in (None, one.name)], brought)
        try:
            told = content.told(brought.body)
        except UnreadableContentError as error:
            raw_id = await self.keep(connection.name, brought, str(error))
            raise NotTakenError(NotTaken.UNREADABLE, str(error), raw_id) from None
        async with self._database.transaction() as conn:
            taken = await self._take(conn, connection, brought, told)
            checkpoint.passed("bdk.noted")
        if taken.came_to == "to_fetch":
            self._wake()
        return taken

    async def keep(self, connection: str, brought: Brought, why: str) -> UUID:
        """Keep what proved its sender and says nothing; its id."""
        faulty = raws.unread_notification(connection, brought.body, brought.content_type, why)
        async with self._database.transaction() as conn:
            await arrivals.quarantine(conn, [faulty], self._clock.now(), self._outgoing)
        return faulty.arrival.raw_id

    async def _take(self, conn: Connection, connection: InForce, brought: Brought, told: Told) -> Taken:
        now = self._clock.now()
        if not (told.whole and connection.spec.fat == "take"):
            first = await bdk_reads.note(
                conn,
                connection.name,
                told.lead_id,
                now,
                notice=brought.body,
                correlation_id=brought.correlation_id,
            )
            return Taken(connection.name, told.lead_id, "to_fetch", not first, None)
        arrival = raws.arrival_of(
            connection.name, told, brought.body, brought.content_type, brought.correlation_id
        )
        (new,) = await arrivals.store(conn, [arrival], now, self._outgoing)
        await bdk_reads.note_taken(
            conn,
            connection.name,
            told.lead_id,
            now,
            raw_id=arrival.raw_id,
            correlation_id=brought.correlation_id,
        )
        return Taken(connection.name, told.lead_id, "lead", not new, arrival.raw_id)


def _whose(candidates: Sequence[InForce], brought: Brought) -> InForce:
    """The connection under whose secret the notification is proven; raises NotTakenError."""
    proven_for = [one for one in candidates if _proves(one, brought)]
    if not proven_for:
        if not candidates:
            # As much work as for a name that is known: time does not tell which are.
            proven(_NOBODYS, None, brought.body, [_NOBODYS_SECRET])
        raise NotTakenError(NotTaken.PROOF_INVALID, "The notification does not prove that it is the bank's.")
    enabled = [one for one in proven_for if one.spec.enabled]
    if not enabled:
        raise NotTakenError(NotTaken.DISABLED, "The connection is switched off.")
    if len(enabled) > 1:
        raise NotTakenError(
            NotTaken.AMBIGUOUS, "Several connections have this secret; name one in the address."
        )
    return enabled[0]


def _proves(connection: InForce, brought: Brought) -> bool:
    proof = connection.spec.notifications
    if proof is None:
        return False
    secrets = []
    for reference in proof.secrets:
        try:
            secrets.append(resolve(reference))
        except SecretUnreadableError as error:
            _log.error("bdk.notification_secret_unreadable", connection=connection.name, reason=str(error))
    return proven(proof, brought.headers.get(proof.header.lower()), brought.body, secrets)
