"""SL20–SL26: counting leads on a real database, and what operators see of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from adf_mailer.domain.silence import days
from adf_mailer.silence import Silence
from adf_mailer.store import counting
from leadbus import metrics
from leadbus.contracts import Lead
from leadbus.contracts.events import LeadErased

Leads = Callable[..., Lead]


def silence(mailer: Any) -> Silence:
    return Silence(mailer.database, mailer.clock, expected_leads=3, interval_seconds=300)


def lead_at(golden_lead: Leads, at: datetime, dealer: str = "prairie-motors", **changes: Any) -> Lead:
    lead = golden_lead(lead_id=uuid4(), received_at=at, ids=(), **changes)
    seen = {"dealer_id": dealer, "time_zone": changes.get("zone", "America/Chicago")}
    return lead.model_copy(update={"dealer": lead.dealer.model_copy(update=seen)})


async def four_weeks(mailer: Any, golden_lead: Leads, dealer: str = "prairie-motors", **changes: Any) -> None:
    """Four leads on each day, at this time of day and just before, up to yesterday."""
    now = mailer.clock.now()
    told = [
        lead_at(golden_lead, now - timedelta(days=back, minutes=minutes), dealer, **changes)
        for back in range(29, 0, -1)
        for minutes in (1, 2, 3, -60)
    ]
    await mailer.take(*(mailer.event("received", lead) for lead in told))


async def ask(mailer: Any, dealers: list[str] | None = None, **asked: Any) -> list[dict[str, Any]]:
    answer = await mailer.http.get("/v1/silence", params=asked, headers=mailer.token("viewer", dealers))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def gauge(mailer: Any) -> float | None:
    await silence(mailer).count()
    return metrics.REGISTRY.get_sample_value("leadbus_adf_silent_dealers")


async def test_sl20_a_dealer_is_silent_until_the_next_lead(mailer: Any, golden_lead: Leads) -> None:
    await four_weeks(mailer, golden_lead)
    now = mailer.clock.now()
    assert await ask(mailer) == [
        {
            "dealer": "prairie-motors",
            "time_zone": "America/Chicago",
            "kind_of_day": "weekday",
            "days": 20,
            "usual_per_day": 4.0,
            "expected_by_now": 3.0,
            "today": 0,
            "last_lead_at": (now - timedelta(hours=23)).isoformat().replace("+00:00", "Z"),
            "silent": True,
        }
    ]
    assert await gauge(mailer) == 1
    await mailer.take(mailer.event("received", lead_at(golden_lead, now)))
    (told,) = await ask(mailer)
    assert (told["today"], told["silent"]) == (1, False)
    assert await gauge(mailer) == 0


async def test_sl21_tests_repeats_and_what_nobody_may_be_mailed_do_not_count(
    mailer: Any, golden_lead: Leads
) -> None:
    await four_weeks(mailer, golden_lead)
    now = mailer.clock.now()
    await mailer.take(
        mailer.event("received", lead_at(golden_lead, now, test=True)),
        mailer.event("received", lead_at(golden_lead, now, channel="visit", consent={"basis": "none"})),
        mailer.event("updated", lead_at(golden_lead, now - timedelta(days=1), revision=2, message="more")),
    )
    await mailer.route(send_test_leads=True)
    sent = await mailer.http.post("/v1/routes/main/test-lead", headers=mailer.token("operator"))
    assert sent.status_code == 202
    (told,) = await ask(mailer)
    assert (told["today"], told["silent"], told["usual_per_day"]) == (0, True, 4.05)


async def test_sl22_an_erased_lead_was_one(mailer: Any, golden_lead: Leads) -> None:
    await four_weeks(mailer, golden_lead)
    lead = lead_at(golden_lead, mailer.clock.now())
    await mailer.take(mailer.event("received", lead))
    erased = LeadErased(lead_ids=(lead.lead_id,), raw_ids=(), erased_at=mailer.clock.now())
    await mailer.take(mailer.message("lead.erased.v1", erased.to_json()))
    (told,) = await ask(mailer)
    assert (told["today"], told["time_zone"]) == (1, "America/Chicago")


async def test_sl23_each_dealer_has_a_midnight_of_its_own(mailer: Any, golden_lead: Leads) -> None:
    """At four in the afternoon UTC it is tomorrow in Auckland, and nobody has written yet."""
    now = mailer.clock.now()
    for dealer, zone in (("auckland", "Pacific/Auckland"), ("nowhere", "Mars/Base"), ("chicago", None)):
        lead = lead_at(golden_lead, now - timedelta(hours=5), dealer)
        seen = lead.dealer.model_copy(update={"time_zone": zone or "America/Chicago"})
        await mailer.take(mailer.event("received", lead.model_copy(update={"dealer": seen})))
    told = {one["dealer"]: (one["time_zone"], one["today"]) for one in await ask(mailer)}
    assert told == {
        "auckland": ("Pacific/Auckland", 0),
        "chicago": ("America/Chicago", 1),
        "nowhere": ("UTC", 1),
    }


async def test_sl24_tokens_of_dealers_are_told_of_those(mailer: Any, golden_lead: Leads) -> None:
    await four_weeks(mailer, golden_lead)
    await mailer.take(mailer.event("received", lead_at(golden_lead, mailer.clock.now(), "new-dealer")))
    assert [one["dealer"] for one in await ask(mailer, ["new-dealer"])] == ["new-dealer"]
    assert await ask(mailer, ["other"]) == []
    assert [one["dealer"] for one in await ask(mailer, silent=True)] == ["prairie-motors"]
    (told,) = await ask(mailer, silent=False)
    assert (told["dealer"], told["usual_per_day"], told["days"]) == ("new-dealer", None, 0)


async def test_sl25_leads_of_an_older_release_are_counted_once_they_are_filled_in(
    mailer: Any, golden_lead: Leads
) -> None:
    await four_weeks(mailer, golden_lead)
    await mailer.take(mailer.event("received", lead_at(golden_lead, mailer.clock.now(), test=True)))
    before = await mailer.rows("SELECT lead_id, counted_for FROM lead ORDER BY lead_id")
    await mailer.rows("UPDATE lead SET counted_for = NULL")
    assert await ask(mailer) == []
    assert await gauge(mailer) == 1
    after = await mailer.rows("SELECT lead_id, counted_for FROM lead ORDER BY lead_id")
    # All but three that came before the days that are looked back on.
    filled = [one for one in after if one["counted_for"] is not None]
    assert [one for one in before if one in filled] == filled
    assert len(filled) == len(before) - 3


@pytest.mark.parametrize("query", ["dealers", "counts", "fill in"])
async def test_sl26_counting_reads_an_index_and_no_lead(mailer: Any, query: str) -> None:
    now = mailer.clock.now()
    windows = days(now - timedelta(days=90), now, now.tzinfo)
    arguments: dict[str, tuple[str, list[Any]]] = {
        "dealers": (counting._DEALERS, [now - timedelta(days=29), None]),
        "counts": (
            counting._COUNTS,
            [
                ["d1"] * len(windows),
                list(range(len(windows))),
                [one.start for one in windows],
                [one.until for one in windows],
                [one.end for one in windows],
            ],
        ),
        "fill in": (counting._FILL_IN, [now - timedelta(days=29), 500]),
    }
    async with mailer.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO lead (lead_id, revision, contactable, erased, received_at, counted_for, updated_at)"
            " SELECT gen_random_uuid(), 1, true, false, $1::timestamptz - n * interval '2 minutes',"
            "        'd' || n % 20, $1 FROM generate_series(1, 40000) AS n",
            now,
        )
        await conn.execute("ANALYZE lead")
        sql, given = arguments[query]
        plan = [row[0] for row in await conn.fetch(f"EXPLAIN {sql}", *given)]
    assert not any("Seq Scan on lead" in line for line in plan), plan
    assert any("lead_uncounted" in line if query == "fill in" else "lead_counted" in line for line in plan), (
        plan
    )
