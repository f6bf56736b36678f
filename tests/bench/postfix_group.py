"""Row (e2): mails into a real mail server, by adf-mailer's own pool and by a bare loop of its library."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import aiosmtplib
from adf_mailer.delivery import SmartHost, SmartHosts
from leadbus_devstack import private_servers
from leadbus_devstack.postfix import NativePostfix
from leadbus_devstack.resolve import resolve_postfix

from tests.bench import smtp_group
from tests.bench.drain import StalledError
from tests.bench.groups import Group, ratio_row, value_row
from tests.bench.leads import FROM_ADDRESS
from tests.bench.processes import CpuMeter
from tests.bench.rig import Rig
from tests.bench.rounds import Case, Samples
from tests.bench.rows import Row
from tests.bench.smtp_group import CONNECTIONS

MAILS = 1500
_WARM_UP_MAILS = 100
_WATCH_SECONDS = 0.02
_STALLED_SECONDS = 60.0
_RECIPIENT = "leads@dealer.example"
_SETTINGS = {
    # For us it is a smart host, and what it is given goes nowhere.
    "mynetworks": "127.0.0.0/8",
    "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
    "default_transport": "discard:bench",
    # Else it makes a sender wait whose mails come faster than they leave.
    "in_flow_delay": "0",
}

Sending = Callable[[int, bytes, int], Awaitable[None]]
"""Connects to a port, sends so many copies of a mail, hangs up."""


@contextmanager
def discarding_postfix(port: int = 0) -> Iterator[NativePostfix]:
    """Takes every mail as safely as Postfix does, and throws it away."""
    ports = {"smtp": port} if port else {}
    with private_servers.private_postfix(ports=ports, settings=_SETTINGS) as server:
        yield server


async def thrown_away(postfix: NativePostfix, mails: int) -> None:
    """Returns when Postfix is done with so many mails. Raises StalledError when it does not get on."""
    seen, since = 0, time.monotonic()
    while (count := postfix.log.read_text().count(", status=sent (")) < mails:
        if count != seen:
            seen, since = count, time.monotonic()
        if time.monotonic() - since > _STALLED_SECONDS:
            raise StalledError(f"Postfix is done with {count} of {mails} mails")
        await asyncio.sleep(_WATCH_SECONDS)


@dataclass(frozen=True)
class PostfixCase:
    """Mails/s from the first connection to the last 250, and CPU until Postfix is done with all of them."""

    name: str
    rig: Rig
    sending: Sending
    mails: int

    async def run(self) -> Mapping[str, float]:
        raw = self.rig.sample.mail.encode("latin-1")
        with discarding_postfix() as postfix:
            await self.sending(postfix.port, raw, _WARM_UP_MAILS)
            await thrown_away(postfix, _WARM_UP_MAILS)
            cpu = CpuMeter({"server": postfix.process.processes()})
            began, worked = time.perf_counter(), time.process_time()
            await self.sending(postfix.port, raw, self.mails)
            seconds, worked = time.perf_counter() - began, time.process_time() - worked
            await thrown_away(postfix, _WARM_UP_MAILS + self.mails)
            used = cpu.microseconds({"server": postfix.process.processes()}, self.mails)
        return {
            "rate": self.mails / seconds,
            "cpu_client": worked * 1e6 / self.mails,
            "cpu_server": used["server"],
        }


async def by_the_pool(port: int, raw: bytes, mails: int) -> None:
    """As adf-mailer sends: ten connections at once, a hundred mails each."""
    pool = SmartHosts([SmartHost("127.0.0.1", port, tls="off")], size=CONNECTIONS)
    await smtp_group.send(pool, raw, mails)
    await pool.close()


async def by_the_library(port: int, raw: bytes, mails: int) -> None:
    """aiosmtplib as its documentation shows it: as many connections, kept, `sendmail` after `sendmail`."""
    left = iter(range(mails))

    async def one_after_the_other() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for _ in left:
                await client.sendmail(FROM_ADDRESS, [_RECIPIENT], raw)

    async with asyncio.TaskGroup() as senders:
        for _ in range(CONNECTIONS):
            senders.create_task(one_after_the_other())


def _cases(rig: Rig, scale: float) -> Sequence[Case]:
    mails = max(300, round(MAILS * scale))
    return [
        PostfixCase("postfix_deliveries", rig, by_the_pool, mails),
        PostfixCase("postfix_bare", rig, by_the_library, mails),
    ]


def _rows(samples: Samples) -> list[Row]:
    case, reference = "postfix_deliveries", "postfix_bare"
    return [
        ratio_row(samples, case, case, reference, unit="mails/s"),
        ratio_row(samples, "postfix_cpu", case, reference, measure="cpu_client", unit="µs/mail"),
        *(value_row(samples, f"{one}_cpu_server", one, "cpu_server", "µs/mail") for one in (case, reference)),
    ]


POSTFIX = Group("postfix_deliveries", _cases, _rows, resolve_postfix)
