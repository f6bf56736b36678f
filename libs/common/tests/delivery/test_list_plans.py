"""PLN: operators' lists of deliveries are read from indexes, newest first, without sorting what there is."""

from __future__ import annotations

from typing import Any

import pytest
from leadbus.delivery.queries import DELIVERIES
from leadbus.delivery.tables import Delivery
from sqlalchemy import select
from sqlalchemy.dialects import postgresql

Bench = Any

# Enough that a walk through all of them would cost more than an index; one in a hundred is trouble.
FILL = """
INSERT INTO delivery (id, key, subject_id, destination, route, dealer, phase, planned_at, not_before,
                      outcome, finished_at)
SELECT gen_random_uuid(), n::text, n::text, 'host-' || n % 200, 'route-' || n % 200, 'dealer-' || n % 200,
       CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'delivered' END, now(), now(),
       CASE WHEN n % 100 = 0 THEN 'refused' ELSE 'delivered' END, now()
FROM generate_series(1, 20000) AS n
"""


def _dialect() -> Any:
    return postgresql.dialect()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({"dealer": "dealer-7"}, "delivery_by_dealer"),
        ({"route": "route-7"}, "delivery_by_route"),
        ({"destination": "host-7"}, "delivery_by_destination"),
        ({"phase": "failed"}, "delivery_by_ended_phase"),
        ({"outcome": "refused"}, "delivery_by_trouble"),
        ({"phase": "delivered"}, "delivery_seq"),
        ({}, "delivery_seq"),
    ],
    ids=lambda value: next(iter(value), "all") if isinstance(value, dict) else "",
)
async def test_pln1_each_filter_has_its_index(bench: Bench, filters: dict[str, str], index: str) -> None:
    statement = DELIVERIES.query(filters=filters).apply(select(Delivery))
    sql = statement.compile(dialect=_dialect(), compile_kwargs={"literal_binds": True})
    async with bench.database.acquire() as conn:
        await conn.execute(FILL)
        await conn.execute("ANALYZE delivery")
        plan = [row[0] for row in await conn.fetch(f"EXPLAIN {sql}")]
    assert any(f"using {index} " in line for line in plan), plan
    # Incremental: rows come in the order of `seq`, the key only breaks ties.
    assert not any("Sort  (" in line and "Incremental" not in line for line in plan), plan
