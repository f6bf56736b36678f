"""The door: who may bring what, and the one transaction in which it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from asyncpg import Record
from leadbus import checkpoint, outbox
from leadbus.clock import Clock
from leadbus.db import Connection, Database, Part, at_once
from leadbus.event_loop import others_first
from leadbus.messages import raw_message
from leadbus.web import Actor, audit

from ingest.domain import admission
from ingest.domain.api_key import ApiKey, KeyText
from ingest.domain.raw import Offer, Receipt, envelope_of
from ingest.domain.refusal import Reason, Refusal
from ingest.domain.repetition import Judgement, Verdict, judge
from ingest.sources.setting import Source, SourceSettings
from ingest.store import keys, raws

USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller let in: its key, and the setting of the source it may bring to."""

    key: ApiKey
    setting: Source


class Door:
    """Stateless between requests; any number of replicas may stand before one database."""

    def __init__(
        self, database: Database, *, settings: SourceSettings, clock: Clock, outgoing: outbox.Outgoing
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._outgoing = outgoing

    async def identify(self, presented: KeyText | None) -> ApiKey:
        """The stored key of a caller; notes its use at most once a minute.

        Raises Refusal ``key_invalid``.
        """
        text = admission.legible(presented)
        async with self._database.acquire() as conn:
            stored = await keys.find(conn, text.key_id)
            return await self._authenticated(conn, text, stored)

    async def admit(self, presented: KeyText | None, source: str, *, test: bool) -> Admitted:
        """Let a caller in, before anything of its body is read.

        Raises Refusal ``key_invalid`` first, then what its key is not good for.
        """
        text = admission.legible(presented)
        async with self._database.acquire() as conn:
            row = await at_once(conn, keys.finding(text.key_id), self._settings.finding(source))
            key = await self._authenticated(conn, text, keys.found(row))
        setting = self._settings.found(row) if key.source == source else None
        admission.admit(key, source, setting, test=test)
        assert setting is not None, "admit refuses a source without a setting"
        return Admitted(key, setting)

    async def take(self, offer: Offer, setting: Source) -> Judgement:
        """Store the body and its message in one transaction, or find the message it repeats.

        When this returns NEW with a receipt, both are committed. Raises Refusal ``idempotency_key_reused``.
        """
        async with self._database.transaction(locks=raws.locks(offer)) as conn:
            receipt, earlier = await self._store_if_first(conn, offer)
            judgement = self._judge(offer, setting, earlier)
            if judgement.verdict is Verdict.NEW:
                judgement = Judgement(Verdict.NEW, receipt or await self._store(conn, offer))
                checkpoint.passed("door.stored")
            elif judgement.verdict is Verdict.SAME_CONTENT and offer.idempotency_key is not None:
                assert judgement.first is not None
                await at_once(conn, raws.remembering_key(offer, judgement.first.raw_id))
            if offer.idempotency_key is not None and judgement.verdict is not Verdict.SAME_KEY:
                checkpoint.passed("door.key_remembered")
        checkpoint.passed("door.committed")
        await others_first()
        return judgement

    async def rehearse(self, offer: Offer, setting: Source) -> Judgement:
        """What ``take`` would decide now; stores nothing."""
        async with self._database.acquire() as conn:
            earlier = raws.earlier(await at_once(conn, raws.looking(offer)))
        return self._judge(offer, setting, earlier)

    async def receipt(self, raw_id: UUID) -> Receipt | None:
        async with self._database.acquire() as conn:
            return await raws.receipt(conn, raw_id)

    async def publication(self, receipt: Receipt) -> tuple[int, str | None]:
        """How often publishing failed so far, and the code of the last failure."""
        if receipt.published_at is not None:
            return 0, None
        async with self._database.acquire() as conn:
            return await raws.failures(conn, receipt.raw_id)

    async def reveal(self, raw_id: UUID, actor: Actor) -> bytes | None:
        """The body for an operator's eyes, None without such a message; the look is audited first."""
        async with self._database.transaction() as conn:
            body = await raws.body(conn, raw_id)
            if body is not None:
                await audit(conn, actor, "raw.reveal", f"raw/{raw_id}")
        return body

    async def _authenticated(self, conn: Connection, presented: KeyText, stored: ApiKey | None) -> ApiKey:
        now = self._clock.now()
        key = admission.authenticate(presented, stored, now)
        if key.last_used_at is None or now - key.last_used_at > USE_NOTED_EVERY:
            await keys.touch(conn, key.key_id, now, now - USE_NOTED_EVERY)
        return key

    def _judge(self, offer: Offer, setting: Source, earlier: raws.Earlier) -> Judgement:
        judgement = judge(
            offer.digest,
            test=offer.test,
            by_key=earlier.by_key,
            by_content=earlier.by_content,
            now=self._clock.now(),
            window_seconds=setting.duplicate_window_seconds,
        )
        if judgement.verdict is Verdict.KEY_REUSED:
            assert judgement.first is not None
            raise Refusal(
                Reason.KEY_REUSED,
                "The Idempotency-Key was used before with another body.",
                raw_id=str(judgement.first.raw_id),
            )
        return judgement

    async def _store_if_first(self, conn: Connection, offer: Offer) -> tuple[Receipt | None, raws.Earlier]:
        """By one statement, store what repeats nothing; of anything else say what it may repeat."""
        storing = self._storing(offer, if_first=True)
        row = await at_once(conn, raws.looking(offer), *storing.parts)
        if not row["messages_stored"]:
            return None, raws.earlier(row)
        return storing.stored(conn, row), raws.Earlier(None, None)

    async def _store(self, conn: Connection, offer: Offer) -> Receipt:
        storing = self._storing(offer, if_first=False)
        return storing.stored(conn, await at_once(conn, *storing.parts))

    def _storing(self, offer: Offer, *, if_first: bool) -> _Storing:
        raw_id, accepted_at = uuid4(), self._clock.now()
        receipt = raws.receipt_of(offer, raw_id, accepted_at)
        message = raw_message(offer.source, envelope_of(offer, raw_id, accepted_at))
        writing = self._outgoing.writing([message], subjects=[str(raw_id)], provided=raws.STORED)
        parts = [raws.inserting(offer, receipt, if_first=if_first)]
        if offer.idempotency_key is not None:
            parts.append(raws.remembering_key_of_stored(offer))
        return _Storing(receipt, writing, (*parts, writing.part))


@dataclass(frozen=True, slots=True)
class _Storing:
    """A message about to be stored, with its key and what is published of it."""

    receipt: Receipt
    writing: outbox.Writing
    parts: Sequence[Part]

    def stored(self, conn: Connection, row: Record) -> Receipt:
        """The statement with the parts came back with `row`, and has stored it."""
        self.writing.written(conn, row)
        checkpoint.passed("outbox.added")
        return self.receipt
