"""How often a request waits for the database: a lead that comes alone pays for every time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

LOOK_UP = "WITH found_key"
BEGIN = "BEGIN; SELECT pg_advisory_xact_lock"
STORE = "WITH earlier"
STORE_LATER = "WITH stored"
REMEMBER = "WITH remembered"
COMMIT = "COMMIT"
NEW = [LOOK_UP, BEGIN, STORE, COMMIT]


@dataclass
class Statements:
    """What was said on the connections of a database: each a round trip, once the server has planned it."""

    said: list[str] = field(default_factory=list)

    async def taken(self) -> list[str]:
        """What was said since the last look, each by what it begins with."""
        await asyncio.sleep(0)  # asyncpg tells its loggers in the next turn of the loop
        known = (*NEW, STORE_LATER, REMEMBER)
        told = [next((name for name in known if text.startswith(name)), text) for text in self.said]
        self.said.clear()
        return told


@pytest.fixture
async def statements(ingest: Any) -> Statements:
    heard = Statements()
    await ingest.key()
    await ingest.bring(b"[0]", headers={"Idempotency-Key": "first"})  # notes the key's use, once a minute

    def hear(record: Any) -> None:
        heard.said.append(" ".join(record.query.split()))

    # One request after the other: they all get this connection, which was given back last.
    async with ingest.database.acquire() as conn:
        conn.add_query_logger(hear)
    return heard


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "a"}], ids=["without_key", "with_key"])
async def test_an_ordinary_request_makes_four(
    ingest: Any, statements: Statements, headers: Mapping[str, str]
) -> None:
    answer = await ingest.bring(b"[1]", headers=headers)
    assert answer.json()["duplicate"] is False
    assert await statements.taken() == NEW


async def test_a_repeat_makes_four(ingest: Any, statements: Statements) -> None:
    for headers in ({}, {"Idempotency-Key": "first"}):
        assert (await ingest.bring(b"[0]", headers=headers)).json()["duplicate"] is True
        assert await statements.taken() == NEW
    assert (await ingest.bring(b"[0]", headers={"Idempotency-Key": "b"})).json()["duplicate"] is True
    assert await statements.taken() == [LOOK_UP, BEGIN, STORE, REMEMBER, COMMIT]


async def test_the_same_after_its_window_makes_five(ingest: Any, statements: Statements) -> None:
    ingest.clock.advance(601)
    await ingest.bring(b"[1]")  # notes the key's use
    await statements.taken()
    assert (await ingest.bring(b"[0]")).json()["duplicate"] is False
    assert await statements.taken() == [LOOK_UP, BEGIN, STORE, STORE_LATER, COMMIT]


async def test_who_is_not_let_in_makes_one_at_most(ingest: Any, statements: Statements) -> None:
    await ingest.key("adf")
    await statements.taken()
    assert (await ingest.bring(key="lbk_no_key_of_ours")).status_code == 401
    assert await statements.taken() == []
    assert (await ingest.bring(source="adf", key=await ingest.key())).status_code == 403
    assert await statements.taken() == [LOOK_UP]
