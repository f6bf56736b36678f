"""What follows from a refusal that speaks against an address: in the book, at another address, for people."""

from __future__ import annotations

from uuid import UUID

from leadbus import checkpoint
from leadbus.db import Connection, Database
from leadbus.delivery import Job

from adf_mailer.addresses import Addresses
from adf_mailer.desk import Desk
from adf_mailer.domain.address_standing import BAD_ADDRESS, Counted
from adf_mailer.store import mails


class Refusals:
    """All that follows from one refusal is one commit: no address is suspended whose people are not told."""

    def __init__(self, database: Database, addresses: Addresses, desk: Desk) -> None:
        self._database = database
        self._addresses = addresses
        self._desk = desk

    async def of_try(self, job: Job, reason: Counted) -> None:
        """The mail of this try was refused, in the conversation."""
        async with self._database.transaction() as conn:
            await self.note(conn, job.delivery_id, job.repeat_number, reason)
        checkpoint.passed("mailer.replaced")

    async def note(
        self,
        conn: Connection,
        delivery_id: UUID,
        repeat_number: int,
        reason: Counted,
        *,
        bounced: bool = False,
    ) -> None:
        """The same in the caller's transaction; `bounced`: it was taken, and came back."""
        mail = await mails.said(conn, delivery_id, repeat_number)
        if mail is None:
            return
        suspended = await self._addresses.refused(conn, mail.recipient.address, reason, bounced=bounced)
        if reason == BAD_ADDRESS:
            await self._desk.stand_in(conn, delivery_id, repeat_number)
        if suspended is not None:
            await self._desk.warn(conn, mail, suspended)
