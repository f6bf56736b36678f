"""Consent on a real database: somebody who notes acts, and messages of the persons they are about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from leadbus.contracts.lead import Lead
from leadbus.messages import IncomingMessage
from normalizer.consenting import Consenting
from normalizer.consumers import RawConsumer
from normalizer.domain.declarations import Declaration, ToldBy
from normalizer.domain.terms import Terms
from normalizer.linking import Linking
from normalizer.normalizing import Normalizing
from normalizer.quarantining import Quarantining
from normalizer.receiving import Limits

from tests.support.virtualexpo import document

TERMS = Terms(b"the key of these tests, 32 bytes and more")
OTHER = Terms(b"another key of these tests, also 32 bytes+")
ANN, BOB = "ann@example.org", "bob@example.org"

Make = Callable[..., IncomingMessage]


class Desk:
    """Whoever notes what people say, and the task that lays it over leads."""

    def __init__(self, workshop: Any, keyed: Sequence[Terms] = (TERMS,)) -> None:
        self.workshop = workshop
        self.consenting = Consenting(workshop.database, workshop.clock, keyed, poll_seconds=0.05)

    async def say(
        self,
        action: Any,
        contact: str,
        *purposes: str,
        act_id: UUID | None = None,
        told_by: ToldBy = "operator",
    ) -> UUID:
        declaration = Declaration(
            act_id=act_id or uuid4(),
            contacts=(contact,),
            action=action,
            at=self.workshop.clock.now(),
            told_by=told_by,
            purposes=purposes,
        )
        async with self.workshop.database.transaction() as conn:
            await self.consenting.declare(conn, declaration)
        return declaration.act_id

    async def apply(self) -> None:
        """Until there is nothing left to do."""
        async with asyncio.timeout(30):
            while await self.left():
                await self.consenting.apply()

    async def left(self) -> int:
        return len(await self.workshop.fetch("SELECT FROM consent_act WHERE applied_at IS NULL"))


def use(workshop: Any, terms: Terms | None = TERMS, *, window: timedelta = timedelta()) -> None:
    linking = Linking([terms] if terms else [], window)
    normalizing = Normalizing(Limits(body_bytes=4_194_304), terms, linking=linking)
    workshop.raw = RawConsumer(workshop.database, normalizing, workshop.clock, bare_window_seconds=600)
    workshop.quarantining = Quarantining(
        workshop.database, normalizing, workshop.clock, batch_size=2, poll_seconds=0.2
    )


async def prepare(workshop: Any) -> Any:
    """A workshop whose leads are found by their contacts, and to which stands are mapped too."""
    use(workshop)
    await workshop.map_dealer()
    location = {"source": "virtualexpo", "external_id": "18822", "dealer": "prairie-motors"}
    await workshop.settings.put("Location", "stand", location, actor="test")
    return workshop


def chats(payload: Any, message: Any) -> Make:
    """Makes chats of a person."""

    def make(
        id_: str, email: str = ANN, /, phone: str | None = None, account: str = "one", **told: Any
    ) -> IncomingMessage:
        customer = {"name": "Ann Example", "email": email, "phone": phone}
        body = payload(lead_id=id_, customer=customer) | told
        made: IncomingMessage = message(body, f"raw-{id_}{told.get('comments', '')}", account=account)
        return made

    return make


def visits(message: Any) -> Make:
    """Makes visits: somebody looked at a stand; `given` is what they said about being contacted."""

    def make(id_: str, given: str | None = None, /, email: str = ANN, **told: Any) -> IncomingMessage:
        consent = {"given": given} if given else None
        body = document("visit", at_id=id_, buyer={"email": email}, consent=consent, **told)
        made: IncomingMessage = message(
            body, f"raw-{id_}", source="virtualexpo", account="medical", content_type="application/xml"
        )
        return made

    return make


async def lead_of(workshop: Any, id_: str) -> Lead:
    (row,) = await workshop.fetch("SELECT lead_id FROM raw WHERE wire_id = $1", f"raw-{id_}")
    found: Lead = await workshop.lead(row["lead_id"])
    return found


async def consents(workshop: Any, *ids: str) -> list[str]:
    return [(await lead_of(workshop, id_)).consent.basis for id_ in ids]
