"""The small system around a crash: who sends leads, and what is seen of them afterwards."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import aio_pika
import asyncpg
import httpx2
from leadbus_devstack.demo.contactatonce import PROVIDER
from leadbus_devstack.demo.prospect import LEADBUS, identifiers, parse_adf
from leadbus_devstack.services import ServiceName
from leadbus_devstack.threads import run_apart

from tests.guarantees import books
from tests.guarantees.crash_points.mortal import MortalStack
from tests.guarantees.stream import payload
from tests.guarantees.system import Surface, eventually

PATIENCE_SECONDS = 120.0
_RETRY_SECONDS = 0.2
_DEATH_SECONDS = 60.0
_UNDER_WAY = """
SELECT count(*) FROM delivery
 WHERE phase IN ('queued', 'waiting', 'sending') AND subject_id = ANY($1::text[])
"""


@dataclass
class Scene:
    """One crash. `leads`: provider's ids that were sent; `unanswered`: how many sendings got no answer.

    `sent_again`: how many of the leads were told a second time, with nothing new that a mail is written for.
    `unrouted`: how many no route took at first, which stays on record. `replaced`: ends of deliveries that
    another one took the place of. `told`: what the leads tell besides.
    """

    stack: MortalStack
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    leads: list[str] = field(default_factory=list)
    unanswered: int = 0
    sent_again: int = 0
    unrouted: int = 0
    replaced: Counter[str] = field(default_factory=Counter)
    told: Mapping[str, object] = field(default_factory=dict)
    dealer: str = "1001"

    @property
    def surface(self) -> Surface:
        return Surface(self.stack)

    # what is done to it

    async def order_death(self, name: str, point: str, nth: int = 1) -> None:
        mortal = self.stack.mortals[name]
        mortal.order_death(point, nth)
        await eventually(f"{name} armed", mortal.armed, within_seconds=_DEATH_SECONDS)

    async def death(self, name: str, point: str) -> None:
        """Returns when the service has died at the point; fails when it did not or elsewhere."""
        mortal = self.stack.mortals[name]
        await eventually(
            f"{name} dies at {point}",
            lambda: mortal.died_at() == point or "alive",
            within_seconds=_DEATH_SECONDS,
        )

    async def start_again(self, name: str) -> None:
        service = self.stack.services[name]
        await asyncio.to_thread(service.start)
        await asyncio.to_thread(service.wait_ready)

    async def revive(self, name: str) -> None:
        """Start it again when the leases of what it had in its hands have ended."""
        if name == "adf-mailer":
            await self.expire_leases()
        await self.end_holds(name)
        await self.start_again(name)

    async def send(self, by_http: int, by_queue: int) -> None:
        """Leads at the same time on both ways in; returns when each one is accepted."""
        new = [f"{self.run}-{len(self.leads) + number:05d}" for number in range(by_http + by_queue)]
        self.leads += new
        async with httpx2.AsyncClient(timeout=10) as client, asyncio.TaskGroup() as senders:
            for lead_id in new[:by_http]:
                senders.create_task(self._post(client, lead_id))
            if by_queue:
                senders.create_task(self._publish(new[by_http:]))

    async def send_again(self) -> None:
        """Every lead so far as a new message that says something else; returns when each one is accepted."""
        self.sent_again += len(self.leads)
        await self._publish(self.leads, again=True)

    async def publish(
        self, exchange: str, key: str, body: bytes, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """As one who may publish everything; returns when the broker confirmed it."""
        connection = await aio_pika.connect(self.stack.vhost.amqp_url)
        async with connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            where = await channel.get_exchange(exchange, ensure=False)
            await where.publish(aio_pika.Message(body, headers=dict(headers or {})), key, mandatory=True)

    async def expire_leases(self) -> None:
        """Time passes for deliveries in the hands of a process that is dead."""
        await self.sql(
            "adf-mailer",
            "UPDATE delivery SET lease_expires_at = clock_timestamp() - interval '1 second' "
            "WHERE phase = 'sending'",
        )

    async def end_holds(self, name: str) -> None:
        """Time passes for messages that a dead process had in hand."""
        await self.sql(name, "UPDATE outbox SET not_before = NULL WHERE attempts = 0")

    async def put(self, service: str, kind: str, name: str, spec: Mapping[str, object]) -> None:
        """A setting; tried until the service answers."""
        async with httpx2.AsyncClient(timeout=10) as client:
            while True:
                try:
                    answer = await client.put(
                        f"{self.stack.services[service].url}/v1/settings/{kind}/{name}",
                        json={"spec": spec},
                        headers={"Authorization": f"Bearer {self.stack.token('admin')}"},
                    )
                except httpx2.TransportError:
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                answer.raise_for_status()
                return

    # what is seen of it

    async def sql(self, service: str, statement: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.stack.database_url(ServiceName(service)))
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    async def eventually(self, what: str, look: Callable[[], Awaitable[object]], expected: object) -> None:
        """Returns when `look()` finds what is expected."""
        loop = asyncio.get_running_loop()

        def looked() -> object:
            found = asyncio.run_coroutine_threadsafe(_awaited(look), loop).result(PATIENCE_SECONDS)
            return found == expected or found

        await eventually(what, looked, within_seconds=PATIENCE_SECONDS)

    async def unpublished(self) -> int:
        """Messages in the outboxes of all services."""
        counts = [await self.sql(name, "SELECT count(*) FROM outbox") for name in self.stack.services]
        return sum(row["count"] for (row,) in counts)

    async def under_way(self) -> int:
        """Deliveries of this run that may still be tried: a lead can have arrived by another one."""
        ours = [lead_id for sent in self.mails().values() for lead_id, _ in sent]
        (row,) = await self.sql("adf-mailer", _UNDER_WAY, ours)
        return int(row["count"])

    def waiting_in(self, queue: str) -> int:
        """Messages ready in a queue."""
        return run_apart(lambda: self._ready(queue))

    async def drain(self, queue: str) -> list[bytes]:
        """The bodies of all messages in a queue, which is empty then."""
        connection = await aio_pika.connect(self.stack.vhost.amqp_url)
        async with connection:
            channel = await connection.channel()
            source = await channel.get_queue(queue)
            bodies = []
            while (message := await source.get(no_ack=True, fail=False)) is not None:
                bodies.append(message.body)
            return bodies

    def mails(self) -> dict[str, list[tuple[str, str]]]:
        """The mails of this run's leads, by the provider's id: Leadbus' lead id and Message-ID of each."""
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for mail in self.stack.smtp.messages():
            ids = identifiers(parse_adf(mail))
            if ids[PROVIDER].startswith(f"{self.run}-"):
                found[ids[PROVIDER]].append((ids[LEADBUS], mail.message_id))
        return dict(found)

    async def counted(self, service: str, metric: str) -> float:
        """The sum of a counter over its labels, as the running process has it."""
        samples = await books.scrape(self.stack.services[service].url)
        return sum(value for (name, _), value in samples.items() if name == metric)

    def settled(self) -> object:
        """True when the ledger calls every lead of this run delivered, else what is known of them."""
        mails = self.mails()
        ours = {lead_id for sent in mails.values() for lead_id, _ in sent}
        states = Counter(
            str(lead["state"])
            for lead in self.surface.every("normalizer", "/v1/leads")
            if lead["lead_id"] in ours
        )
        if len(mails) == len(self.leads) and states == {"delivered": len(self.leads)}:
            return True
        return f"{len(self.leads)} leads, {len(mails)} of them mailed, {dict(states)}"

    # how

    async def _ready(self, queue: str) -> int:
        connection = await aio_pika.connect(self.stack.vhost.amqp_url)
        async with connection:
            channel = await connection.channel()
            declared = await channel.declare_queue(queue, passive=True)
            return declared.declaration_result.message_count or 0

    def _payload(self, lead_id: str, **changes: object) -> bytes:
        told = json.loads(payload(lead_id)) | {"dealer": {"id": self.dealer}}
        return json.dumps(told | self.told | changes).encode()

    async def _post(self, client: httpx2.AsyncClient, lead_id: str) -> None:
        while True:
            try:
                answer = await client.post(
                    f"{self.stack.services['ingest'].url}/v1/raw/contactatonce",
                    content=self._payload(lead_id),
                    headers={
                        "Authorization": f"Bearer {self.stack.api_keys['contactatonce']}",
                        "Content-Type": "application/json",
                        "Idempotency-Key": lead_id,
                    },
                )
            except httpx2.ConnectError:
                pass  # nobody there: nothing was sent
            except httpx2.TransportError:
                self.unanswered += 1
            else:
                assert answer.status_code in (202, 503), answer.text
                if answer.status_code == 202:
                    return
            await asyncio.sleep(_RETRY_SECONDS)

    async def _publish(self, lead_ids: list[str], *, again: bool = False) -> None:
        connection = await aio_pika.connect(self.stack.endpoints().publishers["contactatonce"])
        async with connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            exchange = await channel.get_exchange("leadbus.raw", ensure=False)
            for lead_id in lead_ids:
                changes = {"comments": f"Lead {lead_id}, once more"} if again else {}
                message = aio_pika.Message(
                    self._payload(lead_id, **changes),
                    content_type="application/json",
                    message_id=f"{lead_id}-again" if again else lead_id,
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                )
                await exchange.publish(message, "raw.contactatonce", mandatory=True)


async def _awaited(look: Callable[[], Awaitable[object]]) -> object:
    return await look()
