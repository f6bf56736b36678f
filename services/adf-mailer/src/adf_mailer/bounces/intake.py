"""What mail servers bring to the return path: read, matched, stored and settled in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.db import Connection, Database
from leadbus.mailin.head import MOST_HOPS, read_head
from leadbus.mailin.refusal import MailReason, MailRefused
from leadbus.mailin.room import Mail, Taken

from adf_mailer.bounces.settling import NOTED, UNMATCHED, Settling
from adf_mailer.domain.bounces.judging import Judgement, judge
from adf_mailer.domain.bounces.matching import By, candidates, fits
from adf_mailer.domain.bounces.reading import read
from adf_mailer.domain.bounces.report import IGNORED, Kind, Report
from adf_mailer.domain.return_path import ReturnPath
from adf_mailer.metrics import BOUNCES
from adf_mailer.store import bounces


@dataclass(frozen=True, slots=True)
class Address:
    """A return path of one mail; `message` is the UUID of its Message-ID."""

    message: UUID

    @property
    def name(self) -> str:
        return str(self.message)


@dataclass(frozen=True, slots=True)
class _Incoming:
    """A mail as it came, and what it says."""

    report: Report
    sha256: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class _Stored:
    became: str
    delivery_id: UUID | None
    verdict: str
    test: bool
    new: bool


class BounceRoom:
    """Stateless between mails; any number of replicas may stand before one database."""

    def __init__(self, database: Database, return_path: ReturnPath, settling: Settling, clock: Clock) -> None:
        self._database = database
        self._return_path = return_path
        self._settling = settling
        self._clock = clock

    async def recipient(self, address: str) -> Address:
        """Raises MailRefused ``unknown_recipient`` for all but return paths that we made."""
        message = self._return_path.addressed(address)
        if message is None:
            raise MailRefused(MailReason.UNKNOWN_RECIPIENT)
        return Address(message)

    async def take(self, mail: Mail[Address]) -> Taken:
        """Nothing is ever answered with a mail (RFC 3834)."""
        report = read(mail.body)
        head = read_head(mail.body)
        if head.hops > MOST_HOPS or self._return_path.addressed(mail.sender) is not None:
            report = Report(Kind.LOOP)
        if report.kind in IGNORED:
            BOUNCES.labels(**{"kind": report.kind.value, "class": "none"}).inc()
            return Taken("ignored", {"kind": report.kind.value})
        incoming = _Incoming(report, head.digest, mail.body)
        # In one order: the same bounce, brought twice at once, must not wait for itself.
        addresses = sorted(mail.recipients, key=lambda one: one.name)
        async with self._database.transaction() as conn:
            stored = [await self._store(conn, address, incoming) for address in addresses]
            checkpoint.passed("bounce.stored")
        checkpoint.passed("bounce.committed")
        for one in stored:
            self._count(one, report)
            self._settling.settled(one.became)
        return Taken(_outcome(stored), _facts(stored, report))

    async def _store(self, conn: Connection, address: Address, incoming: _Incoming) -> _Stored:
        mail, by = await self._match(conn, address, incoming.report)
        judgement = judge(incoming.report, mail.recipient if mail else None)
        new = _row(self._clock, address, incoming, judgement, mail, by)
        bounce_id = await bounces.insert(conn, new, became=NOTED if mail else UNMATCHED)
        became = NOTED if mail else UNMATCHED
        if bounce_id is not None and mail is not None:
            became = await self._settling.apply(
                conn, mail.delivery_id, mail.repeat_number, judgement.verdict, judgement.reason
            )
            await bounces.settle(conn, bounce_id, became)
        return _Stored(
            became=became,
            delivery_id=mail.delivery_id if mail else None,
            verdict=judgement.verdict.value,
            test=mail.test if mail else False,
            new=bounce_id is not None,
        )

    async def _match(
        self, conn: Connection, address: Address, report: Report
    ) -> tuple[bounces.SentMail | None, By | None]:
        for candidate in candidates(report, address.message, self._return_path):
            mail = await bounces.sent(conn, candidate.message)
            if mail is not None and fits(candidate, report, mail.recipient):
                return mail, candidate.by
        return None, None

    def _count(self, stored: _Stored, report: Report) -> None:
        """Bounces of test leads are counted nowhere."""
        if stored.test or not stored.new:
            return
        verdict = stored.verdict if stored.delivery_id else UNMATCHED
        BOUNCES.labels(**{"kind": report.kind.value, "class": verdict}).inc()


def _row(
    clock: Clock,
    address: Address,
    incoming: _Incoming,
    judgement: Judgement,
    mail: bounces.SentMail | None,
    by: By | None,
) -> bounces.NewBounce:
    erased = mail is not None and mail.erased
    said = judgement.said
    return bounces.NewBounce(
        received_at=clock.now(),
        returned_to=address.message,
        sha256=incoming.sha256,
        kind=incoming.report.kind.value,
        verdict=judgement.verdict.value,
        reason=judgement.reason,
        matched_by=by.value if by else None,
        mail=mail,
        recipient_role=judgement.role.value,
        action=said.action.value if said else None,
        status=said.status if said else None,
        reporting_mta=incoming.report.reporting_mta,
        diagnostic=said.diagnostic or None if said and not erased else None,
        size_bytes=len(incoming.raw),
        raw=None if erased else incoming.raw,
    )


def _outcome(stored: list[_Stored]) -> str:
    if not any(one.new for one in stored):
        return "repeated"
    return "taken" if any(one.delivery_id for one in stored) else "kept_apart"


def _facts(stored: list[_Stored], report: Report) -> dict[str, object]:
    return {
        "kind": report.kind.value,
        "verdicts": [one.verdict for one in stored],
        "became": [one.became for one in stored if one.new],
        "deliveries": [str(one.delivery_id) for one in stored if one.delivery_id],
    }
