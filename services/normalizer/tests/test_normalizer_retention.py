"""What is old enough and finished leaves, and nothing else; what is asked of it then is answered clearly."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from leadbus.retention import Pace, Retention
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.tokens import StaticKey
from normalizer import api
from normalizer.quarantining import PrunedRawError
from normalizer.retention import rules
from normalizer.settings import NormalizerSettings
from normalizer.store import forgetting, ledger
from normalizer.store.ledger import LedgerEntry
from pydantic import SecretStr, ValidationError

DAY = timedelta(days=1).total_seconds()
KEY = SecretStr("a-key-of-tests-that-has-32-bytes-or-more")


def settings(**given: Any) -> NormalizerSettings:
    documented = NormalizerSettings.for_documents()
    return NormalizerSettings.model_validate(documented.model_dump(exclude_unset=True) | given)


def retention(workshop: Any, batch_size: int = 3, **given: float) -> Retention:
    pace = Pace(pause_seconds=0, batch_size=batch_size)
    return Retention(
        workshop.database, rules(settings(**given), workshop.clock), clock=workshop.clock, pace=pace
    )


async def counts(workshop: Any, *tables: str) -> list[int]:
    return [(await workshop.fetch(f"SELECT count(*) AS n FROM {table}"))[0]["n"] for table in tables]


async def delivered(workshop: Any, state: str = "delivered") -> None:
    """Every lead there is ended so."""
    now = workshop.clock.now()
    for row in await workshop.fetch("SELECT lead_id FROM lead"):
        entry = LedgerEntry(row["lead_id"], "s", "r", UUID(int=1), state, "x", 1, False, False, now, now)  # type: ignore[arg-type]
        async with workshop.database.transaction() as conn:
            await ledger.note(conn, [entry])


async def test_first_the_bytes_go_then_all_of_it(workshop: Any, payload: Any, message: Any) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload(), "1"), message(b"junk", "2")])
    await delivered(workshop)
    await workshop.fetch("UPDATE quarantine SET state = 'discarded', closed_at = quarantined_at")
    bytes_of_raw = "raw WHERE octet_length(body) > 0"
    for days, kept in ((90, 2), (1, 0)):
        workshop.clock.advance(days * DAY)
        await retention(workshop).prune()
        assert await counts(workshop, bytes_of_raw, "raw", "lead", "quarantine") == [kept, 2, 1, 1]
    workshop.clock.advance(300 * DAY)
    removed = await retention(workshop).prune()
    tables = ("raw", "lead", "lead_term", "lead_revision", "ledger", "quarantine")
    assert await counts(workshop, *tables) == [0] * len(tables)
    assert removed["lead"] == 1
    assert removed["raw"] == 2
    assert await counts(workshop, "inbox") == [2]


async def test_what_comes_again_after_all_that_changes_nothing(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload(), "1")])
    await delivered(workshop)
    workshop.clock.advance(370 * DAY)
    await retention(workshop).prune()
    await workshop.raw.handle([message(payload(), "1")])
    assert await workshop.leads() == {}


async def test_what_no_sink_spoke_of_and_what_is_quarantined_stays(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload(), "1"), message(b"junk", "2")])
    workshop.clock.advance(10_000 * DAY)
    await retention(workshop).prune()
    assert await counts(workshop, "lead", "raw", "quarantine") == [1, 2, 1]
    assert await counts(workshop, "raw WHERE octet_length(body) > 0") == [1]
    assert (await workshop.fetch("SELECT body FROM raw WHERE body <> ''"))[0]["body"] == b"junk"


async def test_what_is_still_told_of_stays(workshop: Any, payload: Any, message: Any) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload(), "1")])
    await delivered(workshop)
    workshop.clock.advance(200 * DAY)
    await workshop.raw.handle([message(payload(comments="and?"), "2")])
    workshop.clock.advance(200 * DAY)
    await retention(workshop).prune()
    assert await counts(workshop, "lead", "lead_revision", "raw") == [1, 2, 2]


@pytest.fixture
async def gone(workshop: Any, payload: Any, message: Any) -> str:
    """A lead of two messages, of which the first has lost its bytes; the key of that."""
    await workshop.map_dealer()
    first = payload(comments="the first", customer={"name": "Ann Example", "email": "ann@example.com"})
    await workshop.raw.handle([message(first, "1")])
    (row,) = await workshop.fetch("SELECT raw_key FROM raw")
    workshop.clock.advance(60 * DAY)
    second = payload(comments="the second", customer={"name": "Ann Example", "phone": "+13125550148"})
    await workshop.raw.handle([message(second, "2")])
    await delivered(workshop)
    workshop.clock.advance(40 * DAY)
    assert (await retention(workshop).prune())["raw_bytes"] == 1
    return str(row["raw_key"])


async def test_a_message_that_is_gone_says_so(gone: str, workshop: Any) -> None:
    app = create_app(
        "normalizer",
        "normalizer",
        "0",
        [api.router(workshop.database, workshop.quarantining)],
        verifier=TokenVerifier(StaticKey(KEY)),
    )
    headers = {"Authorization": f"Bearer {sign_token(KEY, 'olga', 'operator')}"}
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://n", headers=headers) as http:
        for answer in (await http.get(f"/v1/raw/{gone}/body"), await http.post(f"/v1/raw/{gone}/replay")):
            assert answer.status_code == 410
            assert answer.json()["type"].endswith("/raw-gone")
        story = (await http.get(f"/v1/raw/{gone}")).json()
        assert datetime.fromisoformat(story["pruned_at"]) == workshop.clock.now()
        assert story["digest"]
        (lead_id,) = await workshop.leads()
        revisions = (await http.get(f"/v1/leads/{lead_id}")).json()["revisions"]
    assert [one["raw_id"] for one in revisions] == ["1", "2"]


async def test_nothing_that_is_gone_is_unsaid(
    gone: str, workshop: Any, payload: Any, message: Any, operator: Any
) -> None:
    """A replay and a late message would fold the lead from what is left of it."""
    before = await workshop.lead()
    assert (before.customer.emails[0].address, before.customer.phones[0].e164) == (
        "ann@example.com",
        "+13125550148",
    )
    (second,) = [
        row["raw_key"] for row in await workshop.fetch("SELECT raw_key FROM raw WHERE wire_id = '2'")
    ]
    replayed = await workshop.quarantining.replay_raw(second, operator)
    assert replayed.change == "unchanged"
    assert await workshop.lead() == before
    late = (workshop.clock.now() - timedelta(days=50)).isoformat()
    told = payload(
        comments="late", customer={"name": "Bob Example", "email": "bob@example.com"}, call={"answered": True}
    )
    await workshop.raw.handle([message(told, "3", receivedat=late)])
    after = await workshop.lead()
    assert after.customer == before.customer
    assert (after.message, after.received_at) == (before.message, before.received_at)
    assert after.call is not None
    with pytest.raises(PrunedRawError):
        await workshop.quarantining.replay_raw(UUID(gone), operator)


FILL_LEAD = """
WITH lead_ AS (
    INSERT INTO lead (lead_id, revision, source, account, dealer_id, test, received_at, last_raw_at,
                      updated_at, state, terms, terms_by)
    VALUES ($1, 1, 's', 'a', 'd', false, $2, $3, $3, $4, ARRAY['vin:' || $1::uuid::text], 'm')
), raw_ AS (
    INSERT INTO raw (raw_key, source, account, wire_id, digest, body, size_bytes, attributes, received_at,
                     stored_at, test, trial, bare, lead_id)
    SELECT raw_key, 's', 'a', raw_key::text, 'd', 'body', 4, '{}', $2, stored_at, false, false, false, $1
      FROM unnest($5::uuid[], $6::timestamptz[]) AS m (raw_key, stored_at)
), term_ AS (
    INSERT INTO lead_term VALUES ('vin:' || $1::uuid::text, $2, $1)
), ledger_ AS (
    INSERT INTO ledger SELECT $1, 's', 'r', $1, $4, 'o', 1, false, false, $2, $3 WHERE $4 <> 'waiting'
), quarantine_ AS (
    INSERT INTO quarantine (raw_key, source, account, wire_id, size_bytes, reason, detail, state, times,
                            quarantined_at)
    SELECT raw_key, 's', 'a', 'w', 4, 'r', 'd', state, 1, $2
      FROM unnest($5::uuid[], $7::text[]) AS m (raw_key, state) WHERE state IS NOT NULL
)
INSERT INTO lead_revision SELECT $1, 1, ($5::uuid[])[1], 't', '{}', $2, '{}'
"""
FILL_LEADLESS = """
WITH raw_ AS (
    INSERT INTO raw (raw_key, source, account, wire_id, digest, body, size_bytes, attributes, received_at,
                     stored_at, test, trial, bare)
    VALUES ($1, 's', 'a', $1::uuid::text, 'd', 'body', 4, '{}', $2, $2, false, $3::text IS NULL, false)
)
INSERT INTO quarantine (raw_key, source, account, wire_id, size_bytes, reason, detail, state, times,
                        quarantined_at)
SELECT $1, 's', 'a', 'w', 4, 'r', 'd', $3, 1, $2 WHERE $3::text IS NOT NULL
"""


async def filled(workshop: Any, luck: random.Random) -> None:
    now = workshop.clock.now()

    def between(start: datetime) -> datetime:
        moment: datetime = start + luck.random() * (now - start)
        return moment

    for _ in range(100):
        received = between(now - timedelta(days=800))
        last = between(received)
        keys = [UUID(int=luck.getrandbits(128)) for _ in range(luck.randrange(1, 4))]
        stored = [received, *(between(received) for _ in keys[1:])]
        states = [luck.choice([None, None, None, "open", "released", "discarded"]) for _ in keys]
        state = luck.choice(["waiting", "delivered", "failed", "unrouted"])
        lead_id = UUID(int=luck.getrandbits(128))
        await workshop.fetch(FILL_LEAD, lead_id, received, last, state, keys, stored, states)
    for _ in range(60):
        entry = luck.choice([None, "open", "released", "discarded"])
        stored_at = between(now - timedelta(days=800))
        await workshop.fetch(FILL_LEADLESS, UUID(int=luck.getrandbits(128)), stored_at, entry)


async def snapshot(workshop: Any) -> tuple[dict[UUID, Any], dict[UUID, Any]]:
    leads = await workshop.fetch("SELECT lead_id, state, received_at, last_raw_at FROM lead")
    raws = await workshop.fetch(
        "SELECT raw_key, lead_id, stored_at, body, attributes::text, pruned_at, q.state AS entry"
        "  FROM raw LEFT JOIN quarantine AS q USING (raw_key)"
    )
    return {row["lead_id"]: row for row in leads}, {row["raw_key"]: row for row in raws}


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_unfinished_ever_goes_and_nothing_finished_outlives_its_time(
    workshop: Any, seed: int
) -> None:
    luck = random.Random(seed)
    await filled(workshop, luck)
    raw_days, leads_days = luck.choice([30, 90, 300]), luck.choice([0, 90, 365])
    prune = retention(
        workshop,
        luck.randrange(1, 50),
        retention_raw_days=raw_days,
        retention_leads_days=leads_days,
    )
    leads, raws = await snapshot(workshop)
    # Two replicas, and somebody who holds a lead for as long as the first round takes.
    async with workshop.database.transaction() as conn:
        await conn.fetch("SELECT FROM lead ORDER BY lead_id LIMIT 1 FOR UPDATE")
        await asyncio.gather(prune.prune(), prune.prune())
    await prune.prune()
    leads_after, raws_after = await snapshot(workshop)
    now = workshop.clock.now()

    def old(moment: datetime, days: int) -> bool:
        return days > 0 and moment < now - timedelta(days=days)

    opened = {raw["lead_id"] for raw in raws.values() if raw["entry"] == "open"}
    gone = {
        lead_id
        for lead_id, lead in leads.items()
        if lead["state"] != "waiting"
        and old(lead["received_at"], leads_days)
        and old(lead["last_raw_at"], leads_days)
        and lead_id not in opened
    }
    assert leads.keys() - leads_after.keys() == gone

    def stays(raw: Any) -> bool:
        if raw["lead_id"] is not None:
            return raw["lead_id"] not in gone
        return raw["entry"] == "open" or not old(raw["stored_at"], leads_days)

    assert raws_after.keys() == {key for key, raw in raws.items() if stays(raw)}
    for key, raw in raws_after.items():
        too_old = old(raw["stored_at"], raw_days) and raws[key]["entry"] != "open"
        assert (raw["body"] == b"") == too_old == (raw["pruned_at"] is not None)
        assert raw["entry"] == raws[key]["entry"]
    for table in ("lead_term", "lead_revision", "ledger"):
        left = {row["lead_id"] for row in await workshop.fetch(f"SELECT lead_id FROM {table}")}
        assert left <= leads_after.keys()
    assert await counts(workshop, "lead_term", "lead_revision") == [len(leads_after)] * 2


MANY = """
WITH m AS (
    SELECT gen_random_uuid() AS id, $1::timestamptz - n * interval '30 m' AS at, n, 'vin:' || n AS term,
           CASE WHEN n % 3 = 0 THEN 'waiting' ELSE 'delivered' END AS state
      FROM generate_series(1, 20000) AS n
), l AS (
    INSERT INTO lead SELECT id, 1, 's', 'a', 'd', false, at, at, at, state, ARRAY[term], 'm' FROM m
), t AS (
    INSERT INTO lead_term SELECT term, at, id FROM m
), g AS (
    INSERT INTO ledger SELECT id, 's', 'r', id, 'delivered', 'o', 1, false, false, at, at FROM m
), v AS (
    INSERT INTO lead_revision SELECT id, 1, id, 't', '{}', at, '{}' FROM m
), q AS (
    INSERT INTO quarantine (raw_key, source, account, wire_id, size_bytes, reason, detail, state, times,
                            quarantined_at)
    SELECT id, 's', 'a', 'w', 4, 'r', 'd', 'released', 1, at FROM m WHERE n % 10 = 0
)
INSERT INTO raw (raw_key, source, account, wire_id, digest, body, size_bytes, attributes, received_at,
                 stored_at, test, trial, bare, lead_id)
SELECT id, 's', 'a', n::text, 'd', 'body', 4, '{}', at, at, false, false, false,
       CASE WHEN n % 5 > 0 THEN id END FROM m
"""


@pytest.mark.parametrize(
    ("statement", "arguments", "index"),
    [
        (forgetting._RAW_BYTES, "contents", "raw_bytes"),
        (forgetting._LEADS, "old", "lead_state"),
        (forgetting._LEADS, "half", "lead_"),
        (forgetting._LEADLESS, "old", "raw_leadless"),
        (forgetting._HOLD_RAWS, "leads", "raw_lead"),
        (forgetting._OPENED, "leads", "quarantine_open"),
        (forgetting._LEADS_QUARANTINE, "leads", "raw_lead"),
        (forgetting._LEADS_RAWS, "leads", "raw_lead"),
        (forgetting._LEADS_TERMS, "leads", "lead_term_pkey"),
        (forgetting._LEADS_TERMS, "batch", "lead_term_pkey"),
        (forgetting._LEADS_LEDGER, "leads", "ledger_pkey"),
        (forgetting._LEADS_REVISIONS, "leads", "lead_revision_pkey"),
    ],
)
async def test_what_is_old_is_found_by_an_index(
    workshop: Any, statement: str, arguments: str, index: str
) -> None:
    now = workshop.clock.now()
    await workshop.fetch(MANY, now)
    await workshop.fetch("ANALYZE lead, lead_term, ledger, lead_revision, quarantine, raw")
    some = [row["lead_id"] for row in await workshop.fetch("SELECT lead_id FROM lead LIMIT 60")]
    wanted: dict[str, tuple[Any, ...]] = {
        "contents": (now - timedelta(days=380), 50, now),
        "old": (now - timedelta(days=380), 50),
        "half": (now - timedelta(days=200), 50),
        "leads": (some[:5],),
        "batch": (some,),
    }
    (row,) = await workshop.fetch(f"EXPLAIN (FORMAT JSON) {statement}", *wanted[arguments])
    plan = json.dumps(next(iter(row.values())))
    assert index in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize(
    "given",
    [{"retention_leads_days": 29}, {"retention_leads_days": 400}, {"retention_inbox_days": 365}],
)
def test_what_would_bring_old_leads_again_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        settings(**given)
    settings(retention_leads_days=0, retention_inbox_days=0)


@pytest.mark.parametrize("given", [{"finding_key": "short"}, {"finding_key_before": "x" * 32}])
def test_a_key_that_protects_nobody_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings(**given)
