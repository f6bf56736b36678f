"""What can strike, how it is undone, and what it may leave behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from leadbus_devstack.fault_proxy import Mode
from leadbus_devstack.links import Server
from leadbus_devstack.rabbitmq import Resource

from tests.guarantees.accounting import IN_FLIGHT
from tests.guarantees.system import System

Act = Callable[[System], Awaitable[None]]
EVERYBODY = frozenset({"ingest", "normalizer", "adf-mailer"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, until it is healed.

    `doubts`: deliveries that each strike can leave in doubt, by coming between an act and its record.
    `unsure`: services whose counters may miss something, because the process that counted is gone or the
    answer to a commit was lost.
    """

    name: str
    strike: Act
    heal: Act
    doubts: int = 0
    unsure: frozenset[str] = frozenset()


def killed(victim: str) -> Fault:
    """kill -9; healed by starting it again, as a platform would."""
    return Fault(
        f"kill -9 {victim}",
        lambda system: system.kill(victim),
        lambda system: system.restart(victim),
        IN_FLIGHT if _acts(victim) else 0,
        _uncounted(victim),
    )


def frozen(victim: str) -> Fault:
    """SIGSTOP until healed: connections stay open, nobody answers."""
    return Fault(
        f"freeze {victim}",
        lambda system: system.freeze(victim),
        lambda system: system.thaw(victim),
        IN_FLIGHT if _acts(victim) else 0,
        _uncounted(victim),
    )


def network(mode: Mode, server: Server, *, delay_seconds: float = 0.0) -> Fault:
    """The network between a server and every service."""

    async def strike(system: System) -> None:
        await asyncio.to_thread(lambda: system.links.set(mode, server=server, delay_seconds=delay_seconds))

    return Fault(
        f"{mode} {server}",
        strike,
        lambda system: system.network(Mode.PASS, server),
        IN_FLIGHT if server is Server.SMTP else 0,
        EVERYBODY if server is Server.POSTGRES else frozenset(),
    )


def smtp(name: str, *, doubts: int = 0, **faults: object) -> Fault:
    """The mail server misbehaves in its protocol (`leadbus_devstack.smtp.Faults`)."""
    return Fault(f"smtp {name}", lambda system: system.smtp(**faults), lambda system: system.smtp(), doubts)


def alarmed(resource: Resource) -> Fault:
    """RabbitMQ has no memory or no disk left, and blocks whoever publishes."""

    def alarm(system: System) -> Awaitable[None]:
        return asyncio.to_thread(system.rabbitmq.alarm, resource)

    def calm(system: System) -> Awaitable[None]:
        return asyncio.to_thread(system.rabbitmq.calm)

    return Fault(f"{resource} alarm", alarm, calm)


def disk_full() -> Fault:
    """Not a byte is left for Postgres."""

    async def fill(system: System) -> None:
        assert system.disk is not None
        await asyncio.to_thread(system.disk.fill)

    async def clear(system: System) -> None:
        assert system.disk is not None
        system.disk.clear()
        if not system.postgres.process.running:
            # Where the log of transactions itself found no room, Postgres ends at once, and for good.
            await asyncio.to_thread(system.postgres.start)

    return Fault("database disk full", fill, clear, unsure=EVERYBODY)


def _acts(victim: str) -> bool:
    return victim.startswith("adf-mailer") or victim == "smtp"


def _uncounted(victim: str) -> frozenset[str]:
    if victim == "postgres":
        return EVERYBODY
    return frozenset(service for service in EVERYBODY if victim.startswith(service))
