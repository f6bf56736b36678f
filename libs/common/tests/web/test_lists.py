"""The list grammar: pages never repeat nor lose a row, unknown filters are refused, cursors are opaque."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Annotated, Any, ClassVar, Literal

import httpx2
import pytest
from fastapi import APIRouter, Depends
from hypothesis import given
from hypothesis import strategies as st
from leadbus.db import Database
from leadbus.web import Filter, Listing, ListQuery, Page, Problem, create_app
from leadbus.web.lists import MAX_LIMIT
from pydantic import AwareDatetime
from sqlalchemy import BigInteger, Column, DateTime, MetaData, Text, select
from sqlmodel import Field, SQLModel, col

START = datetime(2026, 3, 2, tzinfo=UTC)


class Thing(SQLModel, table=True):
    metadata: ClassVar[MetaData] = MetaData()

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    colour: str = Field(sa_column=Column(Text, nullable=False))
    note: str | None = Field(default=None, sa_column=Column(Text))


THINGS = Listing(
    key=Thing.id,
    sorts={"at": Thing.at, "colour": Thing.colour, "id": Thing.id},
    default_sort="-at",
    filters={
        "colour": Filter(Literal["red", "blue"], Thing.colour),
        "since": Filter(AwareDatetime, Thing.at, ">="),
        "min_id": Filter(int),
        "words": Filter(str),
    },
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    await opened.open()
    async with opened.acquire() as connection:
        await connection.execute(
            "CREATE TABLE thing (id bigint PRIMARY KEY, at timestamptz, colour text, note text)"
        )
        rows = [(n, START + timedelta(minutes=n // 7), "red" if n % 3 else "blue") for n in range(40)]
        await connection.executemany("INSERT INTO thing (id, at, colour) VALUES ($1, $2, $3)", rows)
    yield opened
    await opened.close()


async def pages(database: Database, **asked: Any) -> list[int]:
    found: list[int] = []
    cursor = None
    while True:
        query = THINGS.query(cursor=cursor, **asked)
        async with database.session() as session:
            page = await query.page(session, select(Thing), lambda thing: thing.id)
        assert len(page.items) <= query.limit
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


async def test_pages_together_are_the_list(database: Database) -> None:
    values: dict[str, Callable[[int], int]] = {
        "at": lambda n: n // 7,
        "colour": lambda n: bool(n % 3),
        "id": lambda n: n,
    }
    for column, direction, limit in product(values, ("", "-"), (1, 7, 39, 40, 41)):
        found = await pages(database, sort=direction + column, limit=limit)
        assert sorted(found) == list(range(40))
        order = [(values[column](n), n) for n in found]
        assert order == sorted(order, reverse=bool(direction)), (column, direction, limit)


async def test_filters_hold_on_every_page(database: Database) -> None:
    found = await pages(
        database, filters={"colour": "blue", "since": START + timedelta(minutes=2)}, sort="id", limit=2
    )
    assert found == [n for n in range(40) if n % 3 == 0 and n >= 14]


async def test_rows_that_come_and_go_move_no_other_row(database: Database) -> None:
    async def page(cursor: str | None) -> Page[int]:
        async with database.session() as session:
            return await THINGS.query(sort="id", limit=10, cursor=cursor).page(
                session, select(Thing), lambda thing: thing.id
            )

    first = await page(None)
    async with database.acquire() as connection:
        await connection.execute("DELETE FROM thing WHERE id IN (3, 9)")
        await connection.execute("INSERT INTO thing VALUES (-1, now(), 'red')")
    assert (await page(first.next_cursor)).items == list(range(10, 20))


async def test_rows_of_several_columns_are_items_too(database: Database) -> None:
    async with database.session() as session:
        page = await THINGS.query(sort="id", limit=1).page(
            session,
            select(col(Thing.colour), col(Thing.id)),
            lambda row: {"colour": row.colour, "id": row.id},
        )
    assert page.items == [{"colour": "blue", "id": 0}]


@given(
    at=st.datetimes(timezones=st.just(UTC)),
    colour=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    key=st.integers(-(2**63), 2**63 - 1),
)
def test_a_cursor_comes_back_as_it_went(at: datetime, colour: str, key: int) -> None:
    for sort, value in (("at", at), ("-at", at), ("colour", colour), ("id", key)):
        query = THINGS.query(sort=sort)
        assert query.decode(query.encode(value, key)) == (value, key)


@given(st.one_of(st.text(max_size=60), st.text("ABCDEFabcdef0123456789_-=", max_size=60)))
def test_any_other_text_is_refused_as_a_cursor(text: str) -> None:
    with pytest.raises(Problem) as raised:
        THINGS.query(cursor=text)
    assert raised.value.kind.slug == "invalid-cursor"


def test_a_cursor_belongs_to_its_sort() -> None:
    cursor = THINGS.query(sort="id").encode(5, 5)
    with pytest.raises(Problem):
        THINGS.query(sort="-id", cursor=cursor)
    too_large = THINGS.query(sort="id").encode(2**63, 5)
    with pytest.raises(Problem):
        THINGS.query(sort="id", cursor=too_large)


def test_lists_are_not_sorted_by_what_may_be_missing() -> None:
    with pytest.raises(TypeError, match="note is nullable"):
        Listing(key=Thing.id, sorts={"note": Thing.note}, default_sort="note")


@asynccontextmanager
async def served(database: Database | None) -> AsyncIterator[httpx2.AsyncClient]:
    router = APIRouter()

    @router.get("/v1/things")
    async def things(query: Annotated[ListQuery, Depends(THINGS)]) -> Page[int]:
        assert database
        async with database.session() as session:
            return await query.page(session, select(Thing), lambda thing: thing.id)

    app = create_app("test", "Test", "1", [router])
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_the_grammar_over_http(database: Database) -> None:
    asked: dict[str, Any] = {"colour": "red", "sort": "id", "limit": 3}
    async with served(database) as http:
        first = (await http.get("/v1/things", params=asked)).json()
        assert first["items"] == [1, 2, 4]
        then = await http.get("/v1/things", params={**asked, "cursor": first["next_cursor"]})
    assert then.json()["items"] == [5, 7, 8]


@pytest.mark.parametrize(
    ("asked", "status", "slug"),
    [
        ({"color": "red"}, 400, "unknown-parameter"),
        ({"cursor": "abc"}, 400, "invalid-cursor"),
        ({"colour": "green"}, 422, "invalid"),
        ({"limit": MAX_LIMIT + 1}, 422, "invalid"),
        ({"limit": 0}, 422, "invalid"),
        ({"sort": "note"}, 422, "invalid"),
        ({"since": "2026-01-01T00:00:00"}, 422, "invalid"),
        ({"words": "a\x00"}, 422, "invalid"),
    ],
)
async def test_what_the_grammar_refuses(asked: dict[str, Any], status: int, slug: str) -> None:
    async with served(None) as http:
        response = await http.get("/v1/things", params=asked)
    assert (response.status_code, response.json()["type"].rpartition("/")[2]) == (status, slug)
    assert "green" not in response.text
