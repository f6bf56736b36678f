"""What a claim has to pass in its transaction: the one probe of an unhealthy destination, and limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from leadbus import checkpoint
from leadbus.db import Connection
from leadbus.delivery import destinations, limits, store
from leadbus.delivery.claims import Candidate
from leadbus.delivery.destinations import Gate

Gates = Mapping[str, Gate]


async def enter(
    conn: Connection, wanted: Sequence[Candidate], *, now: datetime, probe_again_at: datetime
) -> tuple[list[Candidate], Gates]:
    """Those that may go, in the order wanted: one to each destination that is ours to probe, to those with
    limits as many as there is room for, and all to the others. Gates are locked until the claim's commit."""
    probes = {one.destination: one.id for one in reversed(wanted) if one.probing}
    gated = {one.destination for one in wanted if one.probing or one.limited}
    if not gated:
        return list(wanted), {}
    gates = await destinations.lock_gates(conn, gated, now=now)
    busy = await destinations.in_flight(conn, gated)
    rooms = {name: gate.limits.room(in_flight=busy.get(name, 0), now=now) for name, gate in gates.items()}
    open_ = [one for one in wanted if not one.probing or _probes(one, probes, gates)]
    allowed = {one.id for one in limits.within(open_, rooms)}
    passed = [one for one in open_ if one.id in allowed]
    ours = [one.destination for one in passed if one.probing]
    if ours:
        await destinations.take_probes(conn, ours, again_at=probe_again_at)
        checkpoint.passed("delivery.probed")
    return passed, gates


async def note_paces(conn: Connection, gates: Gates, rows: Sequence[store.Row], now: datetime) -> None:
    """Take what was started off the paces of their destinations."""
    started = Counter(row.destination for row in rows)
    paces = {
        name: gate.limits.after(started[name], now=now).next_start_at
        for name, gate in gates.items()
        if gate.limits.per_minute is not None and started[name]
    }
    if paces:
        await destinations.write_paces(conn, paces)


def probe_again_at(now: datetime, lease_seconds: float) -> datetime:
    """When a probe of which nothing was heard is made again: its lease has ended then."""
    return now + timedelta(seconds=lease_seconds)


def _probes(one: Candidate, probes: Mapping[str, UUID], gates: Gates) -> bool:
    """Others may have made the probe meanwhile, or ended the need for one."""
    gate = gates.get(one.destination)
    return probes[one.destination] == one.id and gate is not None and gate.probe_due
