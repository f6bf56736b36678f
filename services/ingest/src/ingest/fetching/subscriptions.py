"""Subscriptions as people deal with them: set up, changed, taken down, wanted now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from leadbus.clock import Clock
from leadbus.db import Connection, Database
from leadbus.settings.documents import InvalidSpec, Kind
from leadbus.web import Actor, Problem, audit, problem_type
from leadbus.web.problems import NOT_FOUND

from ingest.fetching.due import asked_for
from ingest.sources.virtualexpo import KIND, VirtualExpoSubscription, check
from ingest.store import virtualexpo as store

SWITCHED_OFF = problem_type(
    "subscription-switched-off",
    409,
    "The subscription is switched off",
    "Its setting says that nothing is to be fetched.",
    "Set `enabled` in the VirtualExpoSubscription; it is then fetched as soon as two hours allow.",
)


def subscription_kind(clock: Clock, *, or_http: bool) -> Kind:
    """The kind of setting; a changed one is tried as soon as two hours from the last attempt allow."""

    async def checked(conn: Connection, name: str, spec: VirtualExpoSubscription) -> None:
        check(spec, or_http=or_http)
        other = await store.other_of_target(conn, spec.target, name)
        if other is not None:
            raise InvalidSpec("/url", f"{other} fetches from this address with this key", "fetched_already")

    async def changed(conn: Connection, name: str, _old: object, new: VirtualExpoSubscription | None) -> None:
        if new is None:
            await store.take_down(conn, name)
            return
        now = clock.now()
        due_at = asked_for(await store.last_attempt(conn, name, new.target), now)
        await store.set_up(conn, name, new.target, now, due_at)

    return Kind(
        KIND,
        VirtualExpoSubscription,
        check=checked,
        on_change=changed,
        title="VirtualExpo subscription",
        description="What is fetched from a marketplace of VirtualExpo, and how often.",
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """When a subscription that somebody wants now will be fetched."""

    due_at: datetime
    last_attempt_at: datetime | None


class Subscriptions:
    """What operators do with subscriptions."""

    def __init__(self, database: Database, clock: Clock, wake: Callable[[], None]) -> None:
        self.database = database
        self._clock = clock
        self._wake = wake

    async def fetch_soon(self, name: str, actor: Actor) -> Wanted:
        """As soon as two hours from the last attempt allow. Raises Problem not-found, SWITCHED_OFF."""
        async with self.database.transaction() as conn:
            held = await store.hold(conn, KIND, name)
            if held is None:
                raise Problem(NOT_FOUND)
            if not held.enabled:
                raise Problem(SWITCHED_OFF)
            last = await store.last_attempt(conn, name, held.target)
            due_at = asked_for(last, self._clock.now())
            await store.set_due(conn, name, due_at)
            detail = {"due_at": due_at.isoformat()}
            await audit(conn, actor, "virtualexpo.fetch", f"{KIND}/{name}", detail)
        self._wake()
        return Wanted(due_at, last)
