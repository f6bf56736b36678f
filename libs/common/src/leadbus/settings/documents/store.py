"""Documents in the database: every change is one transaction with history, audit and the kind's own hook."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import asyncpg

from leadbus.clock import Clock, SystemClock
from leadbus.db import Connection, Database, Part, in_turn
from leadbus.settings.documents.document import Action, Change, Document, Revision, differences
from leadbus.settings.documents.kind import InvalidSpec, Kind, check_name
from leadbus.web.audit import record
from leadbus.web.etag import Condition, etag_of
from leadbus.web.problems import (
    INVALID,
    MANAGED_ELSEWHERE,
    NOT_FOUND,
    STILL_REFERENCED,
    FieldError,
    Problem,
)
from leadbus.web.tokens import Actor

BY_HAND = "hand"
_FIND_SPEC = "found_spec AS (SELECT spec::text AS spec FROM setting WHERE kind = $1 AND name = $2)"
_COLUMNS = "kind, name, spec::text AS spec, revision, etag, managed_by, updated_at, updated_by"


class DocumentStore:
    """The documents of one service. All methods raise Problem (not-found, invalid, precondition-…).

    References between kinds must form no cycle (raises TypeError): rows are locked in their direction.
    """

    def __init__(self, database: Database, kinds: Iterable[Kind], *, clock: Clock | None = None) -> None:
        self.database = database
        self.kinds: Mapping[str, Kind] = {kind.name: kind for kind in kinds}
        self._clock = clock or SystemClock()
        _check_references(self.kinds)

    def kind(self, name: str) -> Kind:
        """Raises Problem not-found."""
        if name not in self.kinds:
            raise Problem(NOT_FOUND, f"kinds here: {', '.join(self.kinds)}")
        return self.kinds[name]

    async def get(self, kind: str, name: str) -> Document:
        """The document in force."""
        async with self.database.acquire() as connection:
            document = await self.find(connection, kind, name)
        if document is None:
            raise Problem(NOT_FOUND)
        return document

    async def find(self, connection: Connection, kind: str, name: str) -> Document | None:
        """The same on a connection of the caller (inside its transaction), None when there is none."""
        self.kind(kind)
        return await _read(connection, kind, check_name(name), lock="")

    async def spec(self, connection: Connection, kind: str, name: str) -> Any | None:
        """The document's spec as its model, None when there is none."""
        document = await self.find(connection, kind, name)
        return self.kinds[kind].model.model_validate(document.spec) if document else None

    def finding(self, kind: str, name: str) -> Part:
        """`spec` as a part of a larger statement; `found` reads its answer."""
        self.kind(kind)
        return Part(_FIND_SPEC, (kind, check_name(name)), "(SELECT spec FROM found_spec) AS found_spec")

    def found(self, kind: str, row: asyncpg.Record) -> Any | None:
        """What `spec` returns, from the row of a statement with `finding` in it."""
        written = row["found_spec"]
        return None if written is None else self.kinds[kind].model.model_validate(json.loads(written))

    async def history(self, kind: str, name: str) -> list[Revision]:
        """Every change, newest first. A deleted document still has one."""
        self.kind(kind)
        async with self.database.acquire() as connection:
            rows = await connection.fetch(
                "SELECT revision, action, spec::text AS spec, managed_by, at, actor FROM setting_history "
                "WHERE kind = $1 AND name = $2 ORDER BY revision DESC",
                kind,
                check_name(name),
            )
        if not rows:
            raise Problem(NOT_FOUND)
        return [
            Revision(**{**row, "spec": None if row["spec"] is None else json.loads(row["spec"])})
            for row in rows
        ]

    async def put(
        self,
        kind: str,
        name: str,
        spec: object,
        *,
        actor: Actor | str,
        managed_by: str = BY_HAND,
        condition: Condition | None = None,
        take_over: bool = False,
        dry_run: bool = False,
        after: Mapping[str, object] | None = None,
    ) -> Change:
        """Create or overwrite. Overwriting needs a `condition` with the ETag that was seen.

        `dry_run` says what would happen, with all checks but without the kind's `on_change`, needs no ETag.
        Only then others of its kind may be imagined to be put before it: `after`, specs by name.
        """
        if after and not dry_run:
            raise Problem(INVALID, errors=[FieldError("only with dry_run", "unexpected", pointer="/after")])
        declared = self.kind(kind)
        model = declared.read(spec)
        written = declared.write(model)
        notices = declared.notices(spec, model)
        async with self.database.transaction() as connection:
            if after:
                await _in_turns(connection, kind, {*after, name})
            before = await self._lock(connection, kind, check_name(name))
            (condition or Condition()).check(before.etag if before else None, required=not dry_run)
            _check_manager(before, managed_by, take_over=take_over)
            await self._check_references(connection, declared, written)
            if after:
                await self._check_after(connection, declared, name, model, after)
            else:
                await _run_check(declared, connection, name, model)
            diff = differences(before.spec if before else None, written)
            if before is not None and not diff and before.managed_by == managed_by:
                return Change(action="unchanged", dry_run=dry_run, diff=[], document=before, notices=notices)
            revision = 1 + await self._last_revision(connection, kind, name)
            document = Document(
                kind=kind,
                name=name,
                spec=written,
                revision=revision,
                etag=etag_of(kind, name, revision, managed_by, written),
                managed_by=managed_by,
                updated_at=self._clock.now(),
                updated_by=_subject(actor),
            )
            action: Action = "changed" if before else "created"
            if not dry_run:
                await _write(connection, document)
                await self._remember(
                    connection, document, action, before, diff=[each.pointer for each in diff]
                )
                if declared.on_change:
                    old = declared.model.model_validate(before.spec) if before else None
                    await declared.on_change(connection, name, old, model)
        return Change(action=action, dry_run=dry_run, diff=diff, document=document, notices=notices)

    async def delete(
        self,
        kind: str,
        name: str,
        *,
        actor: Actor | str,
        managed_by: str = BY_HAND,
        condition: Condition | None = None,
        take_over: bool = False,
        dry_run: bool = False,
    ) -> Change:
        """Delete what nothing refers to; needs the ETag as `put` does."""
        declared = self.kind(kind)
        async with self.database.transaction() as connection:
            before = await self._lock(connection, kind, check_name(name))
            if before is None:
                raise Problem(NOT_FOUND)
            (condition or Condition()).check(before.etag, required=not dry_run)
            _check_manager(before, managed_by, take_over=take_over)
            referrers = await self._referrers(connection, kind, name)
            if referrers:
                raise Problem(STILL_REFERENCED, referrers=referrers)
            diff = differences(before.spec, None)
            if not dry_run:
                await connection.execute("DELETE FROM setting WHERE kind = $1 AND name = $2", kind, name)
                after = before.model_copy(
                    update={
                        "revision": before.revision + 1,
                        "updated_at": self._clock.now(),
                        "updated_by": _subject(actor),
                        "managed_by": managed_by,
                    }
                )
                await self._remember(connection, after, "deleted", before, diff=[])
                if declared.on_change:
                    await declared.on_change(
                        connection, name, declared.model.model_validate(before.spec), None
                    )
        return Change(action="deleted", dry_run=dry_run, diff=diff, document=None)

    async def _check_after(
        self, connection: Connection, kind: Kind, name: str, model: Any, after: Mapping[str, object]
    ) -> None:
        """The kind's check as it would be once the others were put; they are gone again afterwards."""
        imagined = connection.transaction()
        await imagined.start()
        for other, spec in after.items():
            if other != name:
                written = kind.write(_read_after(kind, other, spec))
                await _write(
                    connection,
                    Document(
                        kind=kind.name,
                        name=other,
                        spec=written,
                        revision=0,
                        etag="",
                        managed_by="",
                        updated_at=self._clock.now(),
                        updated_by="",
                    ),
                )
        await _run_check(kind, connection, name, model)
        await imagined.rollback()

    async def _lock(self, connection: Connection, kind: str, name: str) -> Document | None:
        await in_turn(connection, f"setting {kind} {name}")
        return await _read(connection, kind, name, lock="FOR UPDATE")

    async def _last_revision(self, connection: Connection, kind: str, name: str) -> int:
        last = await connection.fetchval(
            "SELECT max(revision) FROM setting_history WHERE kind = $1 AND name = $2", kind, name
        )
        return int(last or 0)

    async def _check_references(self, connection: Connection, kind: Kind, spec: Mapping[str, Any]) -> None:
        missing = []
        for pointer, target, name in sorted(kind.referred(spec), key=lambda found: found[1:]):
            # Locked, so that the target cannot be deleted before this commits.
            found = await connection.fetchval(
                "SELECT true FROM setting WHERE kind = $1 AND name = $2 FOR SHARE", target, name
            )
            if not found:
                missing.append(
                    FieldError(f"there is no such {target}", "reference", pointer=f"/spec{pointer}")
                )
        if missing:
            raise Problem(INVALID, errors=missing)

    async def _referrers(self, connection: Connection, kind: str, name: str) -> list[str]:
        found = []
        for referrer in self.kinds.values():
            if kind not in referrer.references.values():
                continue
            rows = await connection.fetch(
                "SELECT name, spec::text AS spec FROM setting WHERE kind = $1 ORDER BY name", referrer.name
            )
            found += [
                f"{referrer.name}/{row['name']}"
                for row in rows
                if (kind, name) in {found[1:] for found in referrer.referred(json.loads(row["spec"]))}
            ]
        return found

    async def _remember(
        self,
        connection: Connection,
        document: Document,
        action: Action,
        before: Document | None,
        *,
        diff: list[str],
    ) -> None:
        await connection.execute(
            "INSERT INTO setting_history (kind, name, revision, action, spec, managed_by, at, actor) "
            "VALUES ($1, $2, $3, $4, $5::text::jsonb, $6, $7, $8)",
            document.kind,
            document.name,
            document.revision,
            action,
            None if action == "deleted" else json.dumps(document.spec),
            document.managed_by,
            document.updated_at,
            document.updated_by,
        )
        await record(
            connection,
            document.updated_by,
            f"setting.{action}",
            f"{document.kind}/{document.name}",
            {
                "revision": document.revision,
                "fields": diff,
                "before_revision": before.revision if before else None,
            },
        )


def _check_references(kinds: Mapping[str, Kind]) -> None:
    for kind in kinds.values():
        if unknown := set(kind.references.values()) - kinds.keys():
            raise TypeError(f"{kind.name} refers to {', '.join(unknown)}, no kind of this store")
    try:
        TopologicalSorter({kind.name: kind.references.values() for kind in kinds.values()}).prepare()
    except CycleError as error:
        raise TypeError(f"kinds refer to each other in a circle: {' -> '.join(error.args[1])}") from None


def _read_after(kind: Kind, name: str, spec: object) -> Any:
    try:
        return kind.read(spec)
    except Problem:
        wrong = FieldError(f"no spec of {kind.name}", "invalid", pointer=f"/after/{name}")
        raise Problem(INVALID, errors=[wrong]) from None


async def _in_turns(connection: Connection, kind: str, names: Iterable[str]) -> None:
    """As every change takes its own, and in one order, so that no two wait for each other."""
    for name in sorted(names):
        await in_turn(connection, f"setting {kind} {name}")


def _check_manager(before: Document | None, managed_by: str, *, take_over: bool) -> None:
    if before is not None and before.managed_by != managed_by and not take_over:
        raise Problem(
            MANAGED_ELSEWHERE, f"it is managed by {before.managed_by}", managed_by=before.managed_by
        )


async def _run_check(kind: Kind, connection: Connection, name: str, model: Any) -> None:
    if kind.check is None:
        return
    try:
        await kind.check(connection, name, model)
    except InvalidSpec as error:
        raise Problem(
            INVALID, errors=[FieldError(error.detail, error.code, pointer=f"/spec{error.pointer}")]
        ) from None


async def _read(connection: Connection, kind: str, name: str, *, lock: str) -> Document | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM setting WHERE kind = $1 AND name = $2 {lock}",  # noqa: S608
        kind,
        name,
    )
    return _document(row) if row else None


async def _write(connection: Connection, document: Document) -> None:
    await connection.execute(
        "INSERT INTO setting (kind, name, spec, revision, etag, managed_by, updated_at, updated_by) "
        "VALUES ($1, $2, $3::text::jsonb, $4, $5, $6, $7, $8) ON CONFLICT (kind, name) DO UPDATE SET "
        "spec = excluded.spec, revision = excluded.revision, etag = excluded.etag, "
        "managed_by = excluded.managed_by, "
        "updated_at = excluded.updated_at, updated_by = excluded.updated_by",
        document.kind,
        document.name,
        json.dumps(document.spec),
        document.revision,
        document.etag,
        document.managed_by,
        document.updated_at,
        document.updated_by,
    )


def _document(row: Any) -> Document:
    return Document(**{**row, "spec": json.loads(row["spec"])})


def _subject(actor: Actor | str) -> str:
    return actor.subject if isinstance(actor, Actor) else actor
