"""The kinds of jobs that empty holding queues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model, model_validator

from leadbus.consumer.fates import BatchHandler, Fates, PoisonHandler, ReleasedError
from leadbus.db import is_out_of_reach
from leadbus.jobs import SAMPLE_SIZE, Interrupted, Plan, Work
from leadbus.messages import IncomingMessage, OutgoingMessage
from leadbus.parked.held import ID_LENGTH, Held
from leadbus.parked.looking import HeldMessage, Looker
from leadbus.parked.origin import Unproven, as_before, as_published
from leadbus.parked.problems import guarded
from leadbus.parked.reader import HoldingReader
from leadbus.parked.walking import PAUSE_SECONDS, Settle, Turn, Walking
from leadbus.publisher import Publisher, PublishResult
from leadbus.topology.declaration import UNROUTED, parked
from leadbus.web.problems import NOT_FOUND, Problem

MOST_IDS = 500
_HOLD_SECONDS = 20.0
"""Well below a job's lease: a database that is away longer interrupts the job, which goes on later."""

HeldId = Annotated[str, StringConstraints(pattern=rf"^[0-9a-f]{{{ID_LENGTH}}}$")]


class Picked(BaseModel):
    """Which messages: those with these ids, or all that a look meets now."""

    model_config = ConfigDict(extra="forbid")

    ids: list[HeldId] | None = Field(None, min_length=1, max_length=MOST_IDS)
    all: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.all == (self.ids is not None):
            raise ValueError("either ids or all: true")
        return self

    @property
    def wanted(self) -> frozenset[str] | None:
        return None if self.ids is None else frozenset(self.ids)


def picked_of(queues: Sequence[str]) -> type[Picked]:
    """The filter of a service that parks messages of these queues."""
    named: Any = Literal[tuple(queues)]
    made: type[Picked] = create_model(
        "ParkedFilter", __base__=Picked, __doc__=Picked.__doc__, queue=(named, ...)
    )
    return made


@dataclass(frozen=True, slots=True)
class Handler:
    """How a service handles messages of a queue; a redrive does the same."""

    handle: BatchHandler
    poison: PoisonHandler


class _HoldingKind:
    """What all of them share: planning is looking, running is walking."""

    per_dealer = False
    needs_reason = False
    may_come_back = False
    name: str
    filter: type[BaseModel]

    def __init__(self, reader: HoldingReader, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._reader = reader
        self._pause_seconds = pause_seconds

    async def plan(self, filter_: Any, dealers: frozenset[str] | None) -> Plan:
        """Count and show some; what a look does not reach is left out.

        Raises Problem: not-found for ids that are not there, unavailable.
        """
        picked: Picked = filter_
        queue = self.queue(picked.model_dump())
        looker = Looker(self._reader, queue, lambda message: None)
        with guarded():
            if picked.wanted is None:
                reach = await looker.reach(some=SAMPLE_SIZE)
                return Plan(
                    reach.depth,
                    [_sampled(one) for one in reach.some],
                    bound={"ids": reach.ids},
                    subject=queue,
                    left_out=reach.depth - len(reach.ids),
                )
            found = await looker.find(picked.wanted)
        if missing := sorted(picked.wanted - {one.id for one in found}):
            raise Problem(NOT_FOUND, "not all of these messages are there", ids=missing)
        return Plan(len(found), [_sampled(one) for one in found[:SAMPLE_SIZE]], subject=queue)

    def run(self, work: Work) -> AsyncGenerator[int, None]:
        # A plan of the release before has counted all, and names none.
        named = work.filter.get("ids", work.bound.get("ids"))
        walking = Walking(
            self._reader,
            self.queue(work.filter),
            work,
            self.name,
            self.settling(work.filter),
            wanted=frozenset(named) if named is not None else None,
            planned=len(work.bound["ids"]) if "ids" in work.bound else work.total,
            may_come_back=self.may_come_back,
            pause_seconds=self._pause_seconds,
        )
        return walking.run()

    def queue(self, filter_: Mapping[str, Any]) -> str:
        """The holding queue that the filter means."""
        raise NotImplementedError

    def settling(self, filter_: Mapping[str, Any]) -> Settle:
        """What is done with messages whose turn it is."""
        raise NotImplementedError


class ParkedRedrive(_HoldingKind):
    """Parked messages go through the service's own handler again; what fails again stays parked."""

    name = "parked.redrive"

    def __init__(
        self, reader: HoldingReader, handlers: Mapping[str, Handler], pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        super().__init__(reader, pause_seconds)
        self._handlers = handlers
        self.filter = picked_of(sorted(handlers))

    def queue(self, filter_: Mapping[str, Any]) -> str:
        return parked(filter_["queue"])

    def settling(self, filter_: Mapping[str, Any]) -> Settle:
        queue: str = filter_["queue"]
        handler = self._handlers[queue]

        async def settle(turn: Turn) -> None:
            proven: list[tuple[Held, IncomingMessage]] = []
            for held in turn.held:
                try:
                    proven.append((held, as_before(queue, held.message)))
                except Unproven as unproven:
                    await turn.failed(held, unproven.code)
            if proven:
                await _Settlement(turn, proven).settle(queue, handler)

        return settle


class ParkedDiscard(_HoldingKind):
    """Parked messages are given up: their bytes are gone, who they were is on record."""

    name = "parked.discard"
    needs_reason = True

    def __init__(
        self, reader: HoldingReader, queues: Sequence[str], pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        super().__init__(reader, pause_seconds)
        self.filter = picked_of(sorted(queues))

    def queue(self, filter_: Mapping[str, Any]) -> str:
        return parked(filter_["queue"])

    def settling(self, filter_: Mapping[str, Any]) -> Settle:
        return _discard


class UnroutedRedrive(_HoldingKind):
    """Unrouted messages are published again, to the same exchange under the same key."""

    name = "unrouted.redrive"
    filter = Picked
    may_come_back = True

    def __init__(
        self, reader: HoldingReader, publisher: Publisher, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        super().__init__(reader, pause_seconds)
        self._publisher = publisher

    def queue(self, filter_: Mapping[str, Any]) -> str:
        return UNROUTED

    def settling(self, filter_: Mapping[str, Any]) -> Settle:
        return self._settle

    async def _settle(self, turn: Turn) -> None:
        proven: list[tuple[Held, OutgoingMessage]] = []
        for held in turn.held:
            try:
                proven.append((held, _outgoing(as_published(held.message))))
            except Unproven as unproven:
                await turn.failed(held, unproven.code)
        if not proven:
            return
        if not self._publisher.connected:
            raise Interrupted("the publisher is not connected")
        results = await self._publisher.publish_many([message for _, message in proven])
        confirmed = PublishResult.CONFIRMED
        await turn.done([held for (held, _), was in zip(proven, results, strict=True) if was is confirmed])
        for (held, _), was in zip(proven, results, strict=True):
            if was in (PublishResult.RETURNED, PublishResult.REFUSED) and self._publisher.connected:
                await turn.failed(held, was.value)
        if not self._publisher.connected or PublishResult.UNKNOWN in results:
            raise Interrupted("not all publishes were answered")


class UnroutedDiscard(_HoldingKind):
    """Unrouted messages are given up: their bytes are gone, who they were is on record."""

    name = "unrouted.discard"
    filter = Picked
    needs_reason = True

    def queue(self, filter_: Mapping[str, Any]) -> str:
        return UNROUTED

    def settling(self, filter_: Mapping[str, Any]) -> Settle:
        return _discard


class _Settlement:
    """Carries out what ``Fates`` decides, as a consuming channel does; parking is leaving it where it is."""

    def __init__(self, turn: Turn, proven: Sequence[tuple[Held, IncomingMessage]]) -> None:
        self.lost = asyncio.Event()
        self._turn = turn
        self._messages = [message for _, message in proven]
        self._held = {message.delivery_tag: held for held, message in proven}
        self._failures: dict[int, str] = {}

    async def settle(self, queue: str, handler: Handler) -> None:
        """Raises Interrupted when the database is away; what was not settled is held, and goes back."""

        async def poison(message: IncomingMessage, error: Exception) -> None:
            try:
                await handler.poison(message, error)
            except Exception as storing:
                self._failures[message.delivery_tag] = type(storing).__name__
                raise

        fates = Fates(
            parked(queue),
            handler.handle,
            poison,
            unavailable=is_out_of_reach,
            hold_seconds=_HOLD_SECONDS,
            draining=self.lost,
        )
        try:
            await fates.settle(self, self._messages)
        except ReleasedError:
            raise Interrupted("the database is away") from None

    async def ack(self, messages: Sequence[IncomingMessage]) -> None:
        await self._turn.done([self._held[message.delivery_tag] for message in messages])

    async def park(self, message: IncomingMessage) -> None:
        tag = message.delivery_tag
        await self._turn.failed(self._held[tag], self._failures.get(tag, "failed"))


async def _discard(turn: Turn) -> None:
    await turn.done(turn.held)


def _outgoing(message: IncomingMessage) -> OutgoingMessage:
    return OutgoingMessage(
        exchange=message.exchange,
        routing_key=message.routing_key,
        body=message.body,
        headers=message.headers,
        properties=replace(message.properties),
        mandatory=True,
    )


def _sampled(one: HeldMessage) -> dict[str, Any]:
    return one.model_dump(mode="json", include={"id", "message_id", "routing_key", "size_bytes"})
