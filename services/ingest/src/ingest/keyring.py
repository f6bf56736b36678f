"""Makes, rotates and revokes API keys; every act is audited in its own transaction."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from leadbus.clock import Clock
from leadbus.db import Connection, Database
from leadbus.web import Actor, Problem, audit
from leadbus.web.problems import CONFLICT, NOT_FOUND

from ingest.api.problems import UNKNOWN_SOURCE
from ingest.domain import api_key
from ingest.domain.api_key import ApiKey, KeyState
from ingest.sources.setting import SourceSettings
from ingest.store import keys


@dataclass(frozen=True, slots=True)
class Made:
    """A new key, its text to be said once, and the one it replaces."""

    key: ApiKey
    text: str = field(repr=False)
    replaced: ApiKey | None = None


class Keyring:
    def __init__(self, database: Database, *, settings: SourceSettings, clock: Clock) -> None:
        self.database = database
        self._settings = settings
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()

    async def make(self, source: str, account: str, label: str, actor: Actor) -> Made:
        """Raises Problem unknown-source without a setting of the source, conflict by its accounts."""
        async with self.database.transaction() as conn:
            setting = await self._settings.of(conn, source)
            if setting is None:
                raise Problem(UNKNOWN_SOURCE, "Apply a Source setting of this name first.")
            if not setting.serves(account):
                raise Problem(CONFLICT, "The source's setting does not name this account.")
            made = await self._insert(conn, source, account, label, actor)
            await audit(
                conn, actor, "key.make", f"key/{made.key.key_id}", {"source": source, "account": account}
            )
        return made

    async def rotate(self, source: str, key_id: str, grace_seconds: int, actor: Actor) -> Made:
        """Raises Problem not-found, or conflict for a key that is not active or was rotated before."""
        async with self.database.transaction() as conn:
            old = await self._locked(conn, source, key_id)
            if old.state(self.now()) is not KeyState.ACTIVE or old.rotated_to is not None:
                raise Problem(CONFLICT, "Only an active key that was not rotated yet can be rotated.")
            made = await self._insert(conn, source, old.account, old.label, actor)
            expires_at = self.now() + timedelta(seconds=grace_seconds)
            await keys.retire(conn, key_id, expires_at=expires_at, rotated_to=made.key.key_id)
            detail = {"rotated_to": made.key.key_id, "grace_seconds": grace_seconds}
            await audit(conn, actor, "key.rotate", f"key/{key_id}", detail)
        return replace(made, replaced=replace(old, expires_at=expires_at, rotated_to=made.key.key_id))

    async def revoke(self, source: str, key_id: str, actor: Actor) -> ApiKey:
        """Raises Problem not-found."""
        async with self.database.transaction() as conn:
            key = await self._locked(conn, source, key_id)
            if key.revoked_at is not None:
                return key
            now = self.now()
            await keys.revoke(conn, key_id, now)
            await audit(conn, actor, "key.revoke", f"key/{key_id}")
        return replace(key, revoked_at=now)

    async def _insert(self, conn: Connection, source: str, account: str, label: str, actor: Actor) -> Made:
        text = api_key.make(secrets.token_bytes(api_key.RANDOMNESS_BYTES))
        key = ApiKey(
            key_id=text.key_id,
            source=source,
            account=account,
            label=label,
            digest=text.digest,
            created_at=self.now(),
            created_by=actor.subject,
        )
        await keys.insert(conn, key)
        return Made(key, text.text)

    async def _locked(self, conn: Connection, source: str, key_id: str) -> ApiKey:
        key = await keys.lock(conn, source, key_id)
        if key is None:
            raise Problem(NOT_FOUND)
        return key
