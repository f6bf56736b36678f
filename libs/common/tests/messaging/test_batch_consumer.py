"""The batch consumer on a real broker: fates, order, holding, draining, generations."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from leadbus.consumer import BatchConsumer, make_broker
from leadbus.consumer.batch import BROKER_ACK_TIMEOUT_SECONDS
from leadbus.messages import IncomingMessage
from leadbus_devstack.vhosts import Vhost
from pydantic import SecretStr

QUEUE = "adf-mailer.leads"
PARKED = f"{QUEUE}.parked"


def numbered(count: int) -> list[bytes]:
    return [f"{number:03}".encode() for number in range(count)]


class AwayError(Exception):
    """The database is away."""


def away(error: BaseException) -> bool:
    return isinstance(error, AwayError)


class Gate:
    """A handler that stops until the test lets it go."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, _: Any) -> None:
        self.reached.set()
        await self.opened.wait()


class Together:
    """Has the messages handled as one batch: they arrive while a first one is in hand."""

    def __init__(self, wire: Any, recorder: Any, eventually: Any) -> None:
        self._wire = wire
        self._recorder = recorder
        self._eventually = eventually

    async def prepare(self) -> Gate:
        """Before the consumer starts: the first message waits for the gate."""
        gate, react = Gate(), self._recorder.react

        async def wait_first(bodies: list[bytes]) -> None:
            if bodies == [b"first"]:
                await gate(bodies)
            elif react is not None:
                await react(bodies)

        self._recorder.react = wait_first
        await self._wire.put(b"first")
        return gate

    async def deliver(self, consumer: BatchConsumer, gate: Gate, bodies: list[bytes]) -> None:
        """All of them reach the consumer, then the first message is let go."""
        await gate.reached.wait()
        await self._wire.put(*bodies)

        def delivered() -> bool:
            generation = consumer._generation
            return generation is not None and len(generation._unsettled) == 1 + len(bodies)

        await self._eventually(delivered)
        gate.opened.set()


@pytest.fixture
def together(wire: Any, recorder: Any, eventually: Any) -> Together:
    return Together(wire, recorder, eventually)


def delivery_count(delivered: Any) -> int:
    return int((delivered.header.properties.headers or {}).get("x-delivery-count", 0))


async def test_a_backlog_is_taken_in_batches_in_order(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    await wire.put(*numbered(450))
    await consume(topology.amqp_url, batch_size=100)
    await eventually(lambda: len(recorder.done) == 450)
    assert recorder.done == numbered(450)
    assert max(len(batch) for batch in recorder.batches) <= 100
    assert len(recorder.batches) < 450


async def test_what_is_handled_is_acknowledged(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    await wire.put(*numbered(30))
    consumer = await consume(topology.amqp_url)
    await eventually(lambda: len(recorder.done) == 30)
    await consumer.drain(10)
    assert await wire.take_all() == []
    assert not consumer.consuming


async def test_a_single_message_does_not_wait_for_others(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    await consume(topology.amqp_url, batch_size=100)
    await wire.put(b"alone")
    await eventually(lambda: recorder.done == [b"alone"])


async def test_a_large_batch_is_cut_by_its_bytes(
    wire: Any,
    topology: Vhost,
    consume: Any,
    recorder: Any,
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("leadbus.consumer.generation.LARGEST_BATCH_BYTES", 10)
    gate = Gate()
    recorder.react = gate
    await wire.put(*numbered(20))
    await consume(topology.amqp_url)
    gate.opened.set()
    await eventually(lambda: len(recorder.done) == 20)
    assert max(len(batch) for batch in recorder.batches) <= 4


@pytest.mark.parametrize("bad", [(), (0,), (19,), (7,), (3, 4), (0, 9, 10, 19), tuple(range(20))])
async def test_bisecting_finds_exactly_the_bad_ones(
    wire: Any,
    topology: Vhost,
    consume: Any,
    recorder: Any,
    eventually: Any,
    together: Together,
    bad: tuple[int, ...],
) -> None:
    spoilt = {f"{number:03}".encode() for number in bad}

    async def fail(bodies: list[bytes]) -> None:
        if spoilt & set(bodies):
            raise ValueError("cannot do one of these")

    recorder.react = fail
    gate = await together.prepare()
    consumer = await consume(topology.amqp_url, batch_size=20)
    await together.deliver(consumer, gate, numbered(20))
    await eventually(lambda: len(recorder.done) + len(recorder.poisoned) == 21)
    await consumer.drain(10)
    assert recorder.batches[1] == numbered(20)
    assert {body for body, _ in recorder.poisoned} == spoilt
    assert recorder.done == [b"first", *(body for body in numbered(20) if body not in spoilt)]
    assert all(isinstance(error, ValueError) for _, error in recorder.poisoned)
    assert await wire.take_all() == []
    assert await wire.take_all(PARKED) == []


async def test_what_cannot_be_stored_is_parked_among_acknowledged_neighbours(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any, together: Together
) -> None:
    async def fail(bodies: list[bytes]) -> None:
        if {b"002", b"003", b"007"} & set(bodies):
            raise ValueError("cannot do one of these")

    async def refuse(body: bytes) -> None:
        if body != b"003":
            raise RuntimeError("cannot store it either")

    recorder.react, recorder.react_to_poison = fail, refuse
    gate = await together.prepare()
    consumer = await consume(topology.amqp_url, batch_size=10)
    await together.deliver(consumer, gate, numbered(10))

    async def parked() -> bool:
        return bool(await wire.ready(PARKED) == 2)

    await eventually(parked)
    await eventually(lambda: len(recorder.done) == 8)
    await consumer.drain(10)
    assert sorted(await wire.bodies(PARKED)) == [b"002", b"007"]
    assert [body for body, _ in recorder.poisoned] == [b"003"]
    assert await wire.take_all() == []


async def test_acknowledgements_never_cover_what_is_not_finished(
    wire: Any, topology: Vhost, recorder: Any, together: Together
) -> None:
    """The consumer dies while the right half of a halved batch is in hand: that half must come back.

    With an acknowledgement of the whole batch's last tag, or from a second worker, it would be lost.
    """
    gate = Gate()

    async def fail(bodies: list[bytes]) -> None:
        if len(bodies) == 16:
            raise ValueError("halve it")
        if b"008" in bodies:
            await gate(bodies)

    recorder.react = fail
    first = await together.prepare()
    broker = make_broker(SecretStr(topology.amqp_url), "test")
    await broker.start()
    consumer = BatchConsumer(broker, QUEUE, recorder.handle, poison=recorder.poison, batch_size=16)

    running = asyncio.create_task(consumer.run())
    await together.deliver(consumer, first, numbered(16))
    await gate.reached.wait()
    running.cancel()
    await asyncio.wait([running])
    await broker.stop()
    left = await wire.bodies()
    assert recorder.done == [b"first", *numbered(16)[:8]]
    assert sorted(left) == numbered(16)[8:]


async def test_a_short_outage_is_held_and_nothing_is_counted(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    tries: list[int] = []

    async def fail_three_times(bodies: list[bytes]) -> None:
        tries.append(len(bodies))
        if len(tries) <= 3:
            raise AwayError

    recorder.react = fail_three_times
    await wire.put(*numbered(5))
    await consume(topology.amqp_url, unavailable=away)
    await eventually(lambda: len(recorder.done) == 5)
    assert recorder.poisoned == []
    assert not any(message.redelivered for message in recorder.messages)


async def test_a_long_outage_gives_back_and_waits_for_the_database(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    up = asyncio.Event()
    probes: list[bool] = []

    async def fail(_: list[bytes]) -> None:
        if not up.is_set():
            raise AwayError

    async def probe() -> bool:
        probes.append(up.is_set())
        return up.is_set()

    recorder.react = fail
    await wire.put(*numbered(5))
    consumer = await consume(topology.amqp_url, unavailable=away, hold_seconds=0.5, reopen=probe)
    await eventually(lambda: len(probes) >= 2)
    assert not consumer.consuming
    assert await wire.ready() == 5
    tried = len(recorder.batches)
    await eventually(lambda: len(probes) >= 3)
    assert len(recorder.batches) == tried
    up.set()
    await eventually(lambda: len(recorder.done) == 5)
    assert consumer.consuming
    assert {message.delivery_count for message in recorder.messages[-5:]} == {1}


async def test_a_probe_that_fails_means_away(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    probes: list[None] = []

    async def fail(_: list[bytes]) -> None:
        if not probes:
            raise AwayError

    async def probe() -> bool:
        probes.append(None)
        if len(probes) == 1:
            raise ConnectionRefusedError
        return True

    recorder.react = fail
    await wire.put(b"x")
    await consume(topology.amqp_url, unavailable=away, hold_seconds=0.1, reopen=probe)
    await eventually(lambda: recorder.done == [b"x"])
    assert len(probes) == 2


async def test_quarantine_away_is_held_too(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    tries: list[bytes] = []

    async def fail(_: list[bytes]) -> None:
        raise ValueError("bad")

    async def away_at_first(body: bytes) -> None:
        tries.append(body)
        if len(tries) == 1:
            raise AwayError

    recorder.react, recorder.react_to_poison = fail, away_at_first
    await wire.put(b"bad")
    await consume(topology.amqp_url, unavailable=away)
    await eventually(lambda: len(recorder.poisoned) == 1)
    assert await wire.take_all(PARKED) == []


async def test_half_a_batch_stays_done_when_the_database_goes(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any, together: Together
) -> None:
    """The halves that were settled before the outage are not given back with the rest."""
    back = asyncio.Event()

    async def fail(bodies: list[bytes]) -> None:
        if len(bodies) == 8 and not back.is_set():
            raise ValueError("halve it")
        if b"004" in bodies and not back.is_set():
            raise AwayError

    async def probe() -> bool:
        return back.is_set()

    recorder.react = fail
    gate = await together.prepare()
    consumer = await consume(
        topology.amqp_url, unavailable=away, batch_size=8, hold_seconds=0.3, reopen=probe
    )
    await together.deliver(consumer, gate, numbered(8))

    async def given_back() -> bool:
        return bool(await wire.ready() == 4)

    await eventually(given_back)
    assert recorder.done == [b"first", *numbered(4)]
    back.set()
    await eventually(lambda: len(recorder.done) == 9)
    assert sorted(recorder.done[1:]) == numbered(8)


async def test_draining_leaves_waiting_messages_untouched(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    gate = Gate()
    recorder.react = gate
    await wire.put(*numbered(20))
    consumer = await consume(topology.amqp_url, batch_size=2, prefetch=6)
    await gate.reached.wait()

    async def six_are_out() -> bool:
        return bool(await wire.ready() == 14)

    await eventually(six_are_out)
    draining = asyncio.create_task(consumer.drain(10))
    await eventually(lambda: not consumer.consuming)
    gate.opened.set()
    await draining
    assert recorder.done == numbered(6)
    left = await wire.take_all()
    assert [bytes(message.body) for message in left] == numbered(20)[6:]
    assert {delivery_count(message) for message in left} == {0}
    assert not any(message.delivery.redelivered for message in left)


async def test_draining_ends_in_time_and_gives_back_what_is_not_done(
    wire: Any, topology: Vhost, consume: Any, recorder: Any
) -> None:
    gate = Gate()
    recorder.react = gate
    await wire.put(*numbered(4))
    consumer = await consume(topology.amqp_url)
    await gate.reached.wait()
    await consumer.drain(0.3)
    assert recorder.done == []
    assert recorder.cancelled == 1
    assert sorted(await wire.bodies()) == numbered(4)


async def test_draining_does_not_wait_out_a_hold(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    async def fail(_: list[bytes]) -> None:
        raise AwayError

    recorder.react = fail
    await wire.put(*numbered(4))
    consumer = await consume(topology.amqp_url, unavailable=away)
    await eventually(lambda: len(recorder.batches) >= 2)
    async with asyncio.timeout(10):
        await consumer.drain(60)
    assert sorted(await wire.bodies()) == numbered(4)


async def test_draining_what_never_consumed(topology: Vhost, consume: Any) -> None:
    consumer = await consume("amqp://guest:guest@127.0.0.1:1", wait=False)
    async with asyncio.timeout(5):
        await consumer.drain(30)
    assert not consumer.consuming


async def test_a_forged_death_record_changes_nothing(
    wire: Any, topology: Vhost, consume: Any, recorder: Any, eventually: Any
) -> None:
    forged = {
        "x-death": [{"count": 99, "queue": QUEUE, "reason": "delivery_limit", "exchange": ""}],
        "x-delivery-count": 99,
        "x-first-death-reason": "rejected",
    }
    await wire.put(b"forged", headers=forged)
    consumer = await consume(topology.amqp_url)
    await eventually(lambda: recorder.done == [b"forged"])
    assert recorder.messages[0].delivery_count == 0
    await consumer.drain(10)
    assert await wire.take_all(PARKED) == []


def test_times_nest() -> None:
    broker = make_broker(SecretStr("amqp://guest:guest@127.0.0.1:1"), "test")

    async def never(*_: Any) -> None:
        raise AssertionError

    def with_hold(hold_seconds: float) -> BatchConsumer:
        return BatchConsumer(broker, QUEUE, never, poison=never, hold_seconds=hold_seconds)

    with_hold(120.0)
    with pytest.raises(ValueError, match="acknowledgement timeout"):
        with_hold(BROKER_ACK_TIMEOUT_SECONDS / 2)


class Readings:
    """Reads bodies to numbers; notes in which order things were done."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.poisoned: list[tuple[bytes, str]] = []
        self.gate = Gate()

    def read(self, message: IncomingMessage) -> int:
        self.noted.append(f"read {message.body.decode()}")
        return int(message.body)

    async def handle(self, numbers: Sequence[int]) -> None:
        self.noted.append(f"handle {list(numbers)}")
        await self.gate(None)

    async def poison(self, message: IncomingMessage, error: Exception) -> None:
        self.poisoned.append((message.body, type(error).__name__))


async def test_the_next_batch_is_read_while_this_one_is_written(
    wire: Any, topology: Vhost, consume: Any, eventually: Any
) -> None:
    readings = Readings()
    await wire.put(b"1")
    consumer = await consume(
        topology.amqp_url, handle=readings.handle, read=readings.read, poison=readings.poison
    )
    await readings.gate.reached.wait()
    await wire.put(b"2", b"3")
    await eventually(lambda: "read 2" in readings.noted)
    assert not any(noted.startswith("handle [2") for noted in readings.noted)
    readings.gate.opened.set()
    await eventually(lambda: sum(noted.startswith("handle") for noted in readings.noted) >= 2)
    await consumer.drain(10)
    assert [noted for noted in readings.noted if noted.startswith("read")] == ["read 1", "read 2", "read 3"]
    assert await wire.take_all() == []


async def test_what_cannot_be_read_is_poison_alone(
    wire: Any, topology: Vhost, consume: Any, eventually: Any
) -> None:
    readings = Readings()
    readings.gate.opened.set()
    await wire.put(b"1", b"none", b"3")
    consumer = await consume(
        topology.amqp_url, handle=readings.handle, read=readings.read, poison=readings.poison
    )
    await eventually(lambda: bool(readings.poisoned))
    await consumer.drain(10)
    assert readings.poisoned == [(b"none", "ValueError")]
    handled = "".join(noted for noted in readings.noted if noted.startswith("handle"))
    assert "1" in handled
    assert "3" in handled
    assert await wire.take_all() == []
