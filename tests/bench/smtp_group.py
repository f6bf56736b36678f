"""Row (e): mails over kept connections against a connection each, by adf-mailer's own pool."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adf_mailer.delivery import SmartHost, SmartHosts
from adf_mailer.delivery.connection import Envelope
from leadbus.delivery import Delivered
from leadbus_devstack.ports import free_ports, listening

from tests.bench.groups import Group, ratio_row, value_row
from tests.bench.leads import FROM_ADDRESS
from tests.bench.processes import CpuMeter
from tests.bench.rig import Rig
from tests.bench.rounds import Case, Samples
from tests.bench.rows import Row

CONNECTIONS = 10
"""adf-mailer's default, and how many mails are under way at once in both cases."""
MAILS = {"smtp_reused": 2000, "smtp_fresh": 1000}
_KEPT_FOR = {"smtp_reused": 100, "smtp_fresh": 1}
"""Mails per connection: the default, and one."""
_WARM_UP_MAILS = 50
_START_SECONDS = 30.0


class MailNotTakenError(Exception):
    """The server answered something else than 250."""


@dataclass(frozen=True)
class SmtpCase:
    """Mails/s to a sink that costs as little as a mail server can, in a process of its own."""

    name: str
    rig: Rig
    mails: int

    async def run(self) -> Mapping[str, float]:
        (port,) = free_ports(1)
        sink = self.rig.program("tests.bench.smtp_sink", str(port), str(self.rig.directory / "smtp-mails"))
        sink.start()
        try:
            await asyncio.to_thread(sink.wait_until, lambda: listening(port), timeout_seconds=_START_SECONDS)
            host = SmartHost("127.0.0.1", port, tls="off")
            pool = SmartHosts([host], size=CONNECTIONS, max_transactions=_KEPT_FOR[self.name])
            raw = self.rig.sample.mail.encode("latin-1")
            await send(pool, raw, _WARM_UP_MAILS)
            roles = {"server": sink.processes()}
            cpu, began, worked = CpuMeter(roles), time.perf_counter(), time.process_time()
            await send(pool, raw, self.mails)
            seconds, worked = time.perf_counter() - began, time.process_time() - worked
            await pool.close()
            used = cpu.microseconds(roles, self.mails)
        finally:
            await asyncio.to_thread(sink.stop)
        return {
            "rate": self.mails / seconds,
            "cpu_client": worked * 1e6 / self.mails,
            "cpu_server": used["server"],
        }


async def send(pool: SmartHosts, raw: bytes, mails: int) -> None:
    """`mails` copies of `raw` through `pool`, some at once. Raises MailNotTakenError for one not taken."""
    envelope = Envelope(FROM_ADDRESS, "leads@dealer.example", raw)
    left = iter(range(mails))

    async def one_after_the_other() -> None:
        for _ in left:
            outcome = (await pool.send(envelope, _nothing)).outcome
            if not isinstance(outcome, Delivered):
                raise MailNotTakenError(f"a mail was not taken: {outcome}")

    async with asyncio.TaskGroup() as senders:
        for _ in range(CONNECTIONS):
            senders.create_task(one_after_the_other())


async def _nothing() -> None:
    """There is no lease to renew."""


def _cases(rig: Rig, scale: float) -> Sequence[Case]:
    return [SmtpCase(name, rig, max(200, round(mails * scale))) for name, mails in MAILS.items()]


def _rows(samples: Samples) -> list[Row]:
    return [
        ratio_row(samples, "smtp_reused", "smtp_reused", "smtp_fresh", unit="mails/s"),
        *(
            value_row(samples, f"{case}_cpu_{role}", case, f"cpu_{role}", "µs/mail")
            for case in MAILS
            for role in ("client", "server")
        ),
    ]


SMTP = Group("smtp_reused", _cases, _rows)
