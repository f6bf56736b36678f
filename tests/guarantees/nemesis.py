"""Random faults from a seed: every few seconds another one, sometimes two at once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from leadbus_devstack.fault_proxy import Mode
from leadbus_devstack.links import Server

from tests.guarantees.accounting import IN_FLIGHT
from tests.guarantees.faults import Fault, alarmed, frozen, killed, network, smtp
from tests.guarantees.stream import Stream
from tests.guarantees.system import System

REST_SECONDS = (1.0, 5.0)
LASTING_SECONDS = (0.5, 6.0)
TWO_AT_ONCE = 0.25
_KILLED = ("ingest", "ingest-2", "normalizer", "normalizer-2", "adf-mailer", "adf-mailer-2")
_SERVERS = {"rabbitmq", "postgres", "smtp"}
_ANY_NUMBER = 10_000


def everything() -> dict[str, list[Fault]]:
    """What can strike, by what it strikes; two faults at once never strike the same."""
    return {
        **{victim: [killed(victim), frozen(victim)] for victim in _KILLED},
        "rabbitmq": [
            killed("rabbitmq"),
            frozen("rabbitmq"),
            alarmed("memory"),
            alarmed("disk"),
            *_network(Server.RABBITMQ),
        ],
        "postgres": [killed("postgres"), frozen("postgres"), *_network(Server.POSTGRES)],
        "smtp": [
            frozen("smtp"),
            smtp("refuses", doubts=IN_FLIGHT, refuse=True),
            smtp("defers", rcpt={"*": "451 4.3.0 later"}),
            smtp("breaks off after the dot", doubts=_ANY_NUMBER, drop_after_dot="stored"),
            smtp("hangs after the dot", doubts=_ANY_NUMBER, hang_after_data="unstored"),
            *_network(Server.SMTP),
        ],
    }


def _network(server: Server) -> list[Fault]:
    modes = (Mode.CUT, Mode.RESET, Mode.REFUSE, Mode.BLACKHOLE, Mode.DROP_UP, Mode.DROP_DOWN)
    return [*(network(mode, server) for mode in modes), network(Mode.DELAY, server, delay_seconds=0.2)]


@dataclass
class Nemesis:
    """What `seed` decides is told as it happens; `struck` is what has happened so far."""

    system: System
    seed: int
    struck: list[Fault] = field(default_factory=list)

    async def rage(self, stream: Stream, seconds: float) -> None:
        """Strike and heal for so long; everything is healed afterwards."""
        chance = random.Random(self.seed)
        targets = everything()
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            number = 2 if chance.random() < TWO_AT_ONCE else 1
            # Services before servers, to be healed the other way round: a service that starts needs them.
            struck = sorted(chance.sample(sorted(targets), number), key=_SERVERS.__contains__)
            faults = [chance.choice(targets[target]) for target in struck]
            lasting_seconds = chance.uniform(*LASTING_SECONDS)
            rest_seconds = chance.uniform(*REST_SECONDS)
            names = " and ".join(fault.name for fault in faults)
            said = f"{time.monotonic() - began:6.1f} s {names} for {lasting_seconds:.1f} s"
            print(f"{said}, {len(stream.accepted)} leads accepted")
            await self._strike(faults, lasting_seconds)
            await asyncio.sleep(rest_seconds)

    async def _strike(self, faults: Sequence[Fault], lasting_seconds: float) -> None:
        self.struck += faults
        try:
            for fault in faults:
                await fault.strike(self.system)
            await asyncio.sleep(lasting_seconds)
        finally:
            for fault in reversed(faults):
                await fault.heal(self.system)
