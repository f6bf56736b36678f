"""Every filter of the list of leads walks its own index in the order of the list; nothing is sorted.

The plans are Postgres's own, for 20 000 leads of which a rare filter selects a hundredth, and the statements
are those of the API. A plan that reads the whole table, or every lead in order until a page is full, fails.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from leadbus.contracts.lead import Dealer, Lead
from leadbus.db import Database
from leadbus.web.lists import ListQuery
from normalizer.api.leads import FOUND, LEADS
from normalizer.domain.linking import MOST_LINKS
from normalizer.domain.terms import Terms
from normalizer.store import akin, ledger, queries, terms
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

LEADS_STORED = 20_000
TERMS = Terms(b"the key of these tests, 32 bytes and more")
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)

# Rare things are spread over all the time there is, so that no walk in the order of time finds a page soon.
FILL = f"""
INSERT INTO lead (lead_id, revision, source, account, dealer_id, test, received_at, last_raw_at, updated_at,
                  state, terms, terms_by)
SELECT gen_random_uuid(), 1,
       CASE WHEN n % 100 = 1 THEN 'bdk' ELSE 'contactatonce' END, 'main',
       CASE WHEN n % 100 = 2 THEN 'rare-motors' ELSE 'dealer-' || n % 7 END,
       n % 100 = 3, at, at, at,
       CASE WHEN n % 100 = 4 THEN 'failed' WHEN n % 100 = 5 THEN 'unrouted' ELSE 'delivered' END,
       ARRAY['vin:' || n, 'phone:' || n / 2, 'email:' || CASE WHEN n % 4 = 0 THEN 0 ELSE n END], $1
  FROM generate_series(1, {LEADS_STORED}) AS n,
       LATERAL (SELECT $2::timestamptz - n * interval '1 minute' AS at) AS moment
"""


@pytest.fixture(scope="module")
def filled_url(database_factory: Any) -> Iterator[str]:
    url = database_factory.create("normalizer")
    yield url
    database_factory.drop(url)


@pytest.fixture
async def filled(filled_url: str) -> AsyncIterator[Database]:
    database = Database(filled_url)
    await database.open()
    async with database.acquire() as conn:
        if not await conn.fetchval("SELECT count(*) FROM lead"):
            await conn.execute(FILL, TERMS.mark, AT)
            await conn.execute(
                "INSERT INTO lead_term SELECT term, received_at, lead_id FROM lead, unnest(terms) AS term"
            )
            await conn.execute("ANALYZE lead, lead_term")
    yield database
    await database.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def read(plan: dict[str, Any]) -> set[str]:
    """The names of the indexes a plan reads, and what else it does that reads or sorts much."""
    told = set[str]()
    for node in nodes(plan):
        kind = node["Node Type"]
        if "Index Name" in node:
            told.add(node["Index Name"])
        elif kind not in ("Limit", "Nested Loop", "Aggregate", "LockRows", "Memoize"):
            told.add(kind)
    return told


async def explained(database: Database, sql: str, *arguments: object) -> set[str]:
    async with database.acquire() as conn:
        (told,) = json.loads(await conn.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *arguments))
    return read(told["Plan"])


def written(query: ListQuery, statement: Any) -> str:
    """As a plan for these very values sees it, which is what asyncpg's statements are planned as."""
    asyncpg: Any = PGDialect_asyncpg
    return str(query.apply(statement).compile(dialect=asyncpg(), compile_kwargs={"literal_binds": True}))


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "lead_received"),
        ({"since": AT, "until": AT.replace(hour=10)}, "lead_received"),
        ({"dealer": "rare-motors"}, "lead_dealer"),
        ({"source": "bdk"}, "lead_source"),
        ({"state": "failed"}, "lead_state"),
        ({"state": "waiting"}, "lead_state"),
        ({"test": True}, "lead_test"),
        ({"test": False}, "lead_received"),
    ],
)
@pytest.mark.parametrize("page", ["first", "next"])
@pytest.mark.parametrize("sort", ["-received_at", "received_at"])
async def test_a_filter_walks_its_index_in_order(
    filters: Any, index: Any, page: Any, sort: Any, filled: Database
) -> None:
    query = LEADS.query(filters=filters, sort=sort)
    if page == "next":
        query.after = (AT.replace(month=2, day=24), UUID(int=5))
    plan = await explained(filled, written(query, queries.leads(None)))
    assert plan == {index}


@pytest.mark.parametrize(
    ("terms", "filters"),
    [
        pytest.param([["vin:77"]], {}, id="vin"),
        pytest.param([["phone:77"]], {}, id="phone"),
        pytest.param([["email:0"]], {}, id="email-of-a-quarter-of-all"),
        pytest.param([["phone:77"], ["email:155"]], {}, id="phone-and-email"),
        pytest.param([["phone:77"], ["vin:155"]], {"dealer": "dealer-1"}, id="phone-vin-dealer"),
        pytest.param([["vin:77"]], {"since": AT}, id="vin-since"),
    ],
)
@pytest.mark.parametrize("page", ["first", "next"])
async def test_what_is_found_is_read_from_its_list(
    terms: Any, filters: Any, page: Any, filled: Database
) -> None:
    query = FOUND.query(filters=filters)
    if page == "next":
        query.after = (AT.replace(month=2, day=24), UUID(int=5))
    plan = await explained(filled, written(query, queries.leads_found(None, terms)))
    assert plan <= {"lead_term_pkey", "lead_pkey"}, plan


def _lead(number: int) -> Lead:
    return Lead(
        lead_id=UUID(int=number),
        revision=1,
        source="adf",
        account="box",
        source_type="form",
        channel="form",
        received_at=AT,
        dealer=Dealer(dealer_id="dealer-1", name="Dealer"),
        extras={},
    )


@pytest.mark.parametrize("leads", [1, 400])
async def test_linked_leads_are_looked_for_by_their_contacts_alone(leads: int, filled: Database) -> None:
    """Never among all leads of a dealer; of a contact that a quarter gives, the newest and no more."""
    sought = [(_lead(n), ["email:0", f"phone:{n}"]) for n in range(leads)]
    part = akin.looking(sought, timedelta(days=14))
    plan = await explained(filled, f"WITH {part.sql} SELECT {part.tells}", *part.arguments)
    assert plan <= {"lead_term_pkey", "lead_pkey", "Function Scan", "CTE Scan", "Subquery Scan", "Result"}
    assert {"lead_term_pkey", "lead_pkey"} <= plan
    async with filled.acquire() as conn:
        row = await conn.fetchrow(f"WITH {part.sql} SELECT {part.tells}", *part.arguments)
    assert row is not None
    assert len(akin.found(row)) <= leads * (2 * MOST_LINKS + 2)


async def test_unrouted_leads_are_counted_by_their_index(filled: Database) -> None:
    assert await explained(filled, ledger._UNROUTED, AT - timedelta(days=10)) - {"Bitmap Heap Scan"} == {
        "lead_state"
    }


@pytest.mark.parametrize(
    ("statement", "mark"),
    [(terms._NEVER_MADE, ""), (terms._BEFORE, TERMS.mark), (terms._AFTER, TERMS.mark)],
)
async def test_leads_to_be_indexed_are_found_by_their_index(
    statement: Any, mark: Any, filled: Database
) -> None:
    assert await explained(filled, statement, mark, 200) == {"lead_terms_by"}
