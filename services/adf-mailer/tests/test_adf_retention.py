"""C80–C89: what is old enough and finished leaves, and nothing else."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from adf_mailer.retention import rules
from adf_mailer.settings import AdfMailerSettings
from adf_mailer.store import forgetting
from leadbus.contracts import Lead
from leadbus.retention import Pace, Retention
from leadbus_devstack.smtp import SmtpServer
from pydantic import ValidationError

Leads = Callable[..., Lead]

DAY = timedelta(days=1).total_seconds()
FINISHED = ("delivered", "failed", "skipped", "cancelled")
UNFINISHED = ("queued", "waiting", "sending")


def settings(**given: float) -> AdfMailerSettings:
    documented = AdfMailerSettings.for_documents()
    return AdfMailerSettings.model_validate(documented.model_dump(exclude_unset=True) | given)


def retention(mailer: Any, batch_size: int = 3, **given: float) -> Retention:
    pace = Pace(pause_seconds=0, batch_size=batch_size)
    return Retention(mailer.database, rules(settings(**given)), clock=mailer.clock, pace=pace)


async def delivered(mailer: Any, lead: Lead) -> UUID:
    """A lead that was mailed; the id of its delivery."""
    await mailer.route()
    await mailer.take(mailer.event("received", lead))
    await mailer.work()
    (delivery,) = await mailer.rows("SELECT * FROM delivery WHERE subject_id = $1", str(lead.lead_id))
    assert delivery["phase"] == "delivered"
    return UUID(str(delivery["id"]))


async def test_c80_first_the_bytes_go_then_the_tries_then_all_of_it(mailer: Any, golden_lead: Leads) -> None:
    delivery_id = await delivered(mailer, golden_lead(received_at=mailer.clock.now()))

    async def kept() -> list[int]:
        counts = await mailer.rows(
            "SELECT (SELECT count(raw) FROM mail) AS bytes, (SELECT count(*) FROM attempt) AS tries,"
            " (SELECT count(*) FROM delivery) AS deliveries, (SELECT count(*) FROM lead) AS leads"
        )
        return list(counts[0].values())

    for days, what in ((90, [1, 1, 1, 1]), (1, [0, 1, 1, 1]), (90, [0, 0, 1, 1]), (185, [0, 0, 0, 0])):
        mailer.clock.advance(days * DAY)
        await retention(mailer).prune()
        assert await kept() == what
        story = await mailer.http.get(f"/v1/deliveries/{delivery_id}", headers=mailer.token("viewer"))
        assert story.status_code == (200 if what[2] else 404)
    assert await mailer.rows("SELECT * FROM mail") == []
    (left,) = await mailer.rows("SELECT count(*) AS n FROM inbox")
    assert left["n"] == 1


async def test_c81_a_lead_that_comes_again_after_all_that_changes_nothing(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    lead = golden_lead(received_at=mailer.clock.now())
    event = mailer.event("received", lead, event_id="the one")
    await mailer.route()
    await mailer.take(event)
    await mailer.work()
    mailer.clock.advance(370 * DAY)
    await retention(mailer).prune()
    await mailer.take(event)
    await mailer.work()
    assert len(smtp.messages()) == 1
    assert await mailer.rows("SELECT * FROM lead") == []


async def test_c82_what_is_still_told_of_stays(mailer: Any, golden_lead: Leads) -> None:
    await delivered(mailer, golden_lead(received_at=mailer.clock.now()))
    mailer.clock.advance(200 * DAY)
    update = golden_lead(revision=2, vehicles=[{"model": "Civic", "wanted": True}])
    await mailer.take(mailer.event("updated", update.model_copy(update={"received_at": mailer.clock.now()})))
    await mailer.work()
    mailer.clock.advance(200 * DAY)
    await retention(mailer).prune()
    assert [row["revision"] for row in await mailer.rows("SELECT revision FROM lead")] == [2]
    assert len(await mailer.deliveries()) == 2


async def gone_mail(mailer: Any, lead: Lead, phase: str) -> UUID:
    """A delivery that ended so, and whose mail has lost its bytes to age."""
    delivery_id = await delivered(mailer, lead)
    await mailer.rows("UPDATE delivery SET phase = $1", phase)
    mailer.clock.advance(91 * DAY)
    assert (await retention(mailer).prune())["mail_bytes"] == 1
    return delivery_id


async def test_c83_a_mail_that_is_gone_is_not_shown(mailer: Any, golden_lead: Leads) -> None:
    delivery_id = await gone_mail(mailer, golden_lead(received_at=mailer.clock.now()), "delivered")
    answer = await mailer.http.get(f"/v1/deliveries/{delivery_id}/mail", headers=mailer.token("operator"))
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (410, "mail-gone")
    story = await mailer.http.get(f"/v1/deliveries/{delivery_id}", headers=mailer.token("viewer"))
    assert story.json()["details"]["mails"][0]["sha256"]


@pytest.mark.parametrize("phase", ["failed", "cancelled"])
async def test_c84_nor_sent_again(mailer: Any, smtp: SmtpServer, golden_lead: Leads, phase: str) -> None:
    delivery_id = await gone_mail(mailer, golden_lead(received_at=mailer.clock.now()), phase)
    path = f"/v1/deliveries/{delivery_id}/redrive"
    answer = await mailer.http.post(path, headers=mailer.token("operator"))
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (410, "mail-gone")
    assert [row["phase"] for row in await mailer.deliveries()] == [phase]
    assert await mailer.rows("SELECT * FROM audit WHERE action = 'delivery.redrive'") == []
    assert len(smtp.messages()) == 1


async def test_c85_a_repeat_of_it_is_a_mail_of_its_own(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    delivery_id = await gone_mail(mailer, golden_lead(received_at=mailer.clock.now()), "delivered")
    path = f"/v1/deliveries/{delivery_id}/redrive"
    assert (await mailer.http.post(path, headers=mailer.token("operator"))).status_code == 202
    await mailer.work()
    first, second = smtp.messages()
    assert second.message["References"] == first.message["Message-ID"]


async def test_c86_a_try_without_its_mail_ends_and_says_so(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    """As a job redrives it, which asks nobody first."""
    await gone_mail(mailer, golden_lead(received_at=mailer.clock.now()), "failed")
    await mailer.rows(
        "UPDATE delivery SET phase = 'waiting', finished_at = NULL, not_before = $1", mailer.clock.now()
    )
    await mailer.work()
    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["reason"], len(smtp.messages())) == ("skipped", "mail_gone", 1)


FILL = """
WITH made AS (
    INSERT INTO lead (lead_id, revision, data, contactable, erased, received_at, updated_at)
    VALUES ($1, 1, '{}', true, false, $2, $3)
), planned AS (
    INSERT INTO delivery (id, key, subject_id, destination, route, phase, planned_at, not_before, finished_at,
                          lease_token, lease_expires_at)
    SELECT id, id::text, $1::text, 'host', 'main', phase, $2, $2, finished_at,
           CASE WHEN phase = 'sending' THEN id END, CASE WHEN phase = 'sending' THEN $3 END
      FROM unnest($4::uuid[], $5::text[], $6::timestamptz[]) AS m (id, phase, finished_at)
), tried AS (
    INSERT INTO attempt (delivery_id, n, repeat_number, started_at, finished_at)
    SELECT id, 1, 0, $2, CASE WHEN phase <> 'sending' THEN $2 END
      FROM unnest($4::uuid[], $5::text[]) AS m (id, phase)
)
INSERT INTO mail SELECT id, 0, $1, 1, 'main', 'new', 's', 'r', 'm', 'd', 3, 'raw', '{}', $2
  FROM unnest($4::uuid[]) AS m (id)
"""


async def filled(mailer: Any, luck: random.Random) -> None:
    """Leads of any age with deliveries in any phase, and poison."""
    now = mailer.clock.now()

    def before(days: float) -> datetime:
        moment: datetime = now - timedelta(days=luck.uniform(0, days))
        return moment

    for _ in range(120):
        received = before(800)
        phases = [luck.choice(FINISHED + UNFINISHED) for _ in range(luck.randrange(4))]
        # Sending or not, everything happens between the lead's arrival and now.
        ends = [
            luck.uniform(0, 1) * (now - received) + received if one in FINISHED else None for one in phases
        ]
        ids = [UUID(int=luck.getrandbits(128)) for _ in phases]
        updated = luck.uniform(0, 1) * (now - received) + received
        await mailer.rows(FILL, UUID(int=luck.getrandbits(128)), received, updated, ids, phases, ends)
    for _ in range(30):
        settled = luck.choice([None, before(300)])
        await mailer.rows(
            "INSERT INTO poison (at, reason, detail, routing_key, headers, body, sha256, settled_at)"
            " VALUES ($1, 'r', 'd', 'k', '', '', 's', $2)",
            before(800),
            settled,
        )


async def snapshot(mailer: Any) -> dict[str, list[dict[str, Any]]]:
    return {
        "delivery": await mailer.rows("SELECT id, subject_id, phase, finished_at FROM delivery ORDER BY id"),
        "mail": await mailer.rows("SELECT delivery_id, written_at, raw FROM mail ORDER BY delivery_id"),
        "attempt": await mailer.rows("SELECT delivery_id, finished_at FROM attempt ORDER BY delivery_id"),
        "lead": await mailer.rows("SELECT lead_id, received_at, updated_at FROM lead ORDER BY lead_id"),
        "poison": await mailer.rows("SELECT id, settled_at FROM poison ORDER BY id"),
    }


@pytest.mark.parametrize("seed", range(4))
async def test_c87_nothing_unfinished_ever_goes_and_nothing_finished_outlives_its_time(
    mailer: Any, seed: int
) -> None:
    luck = random.Random(seed)
    await filled(mailer, luck)
    days = {
        "mails": luck.choice([30, 90, 300]),
        "attempts": luck.choice([0, 60, 180]),
        "leads": luck.choice([90, 365]),
    }
    prune = retention(
        mailer, batch_size=luck.randrange(1, 50), **{f"retention_{k}_days": v for k, v in days.items()}
    )
    before = await snapshot(mailer)
    # Two replicas, and somebody who holds a lead for as long as the first round takes.
    async with mailer.database.transaction() as conn:
        await conn.fetch("SELECT FROM lead ORDER BY lead_id LIMIT 1 FOR UPDATE")
        await asyncio.gather(prune.prune(), prune.prune())
    await prune.prune()
    after = await snapshot(mailer)
    now = mailer.clock.now()

    def old(moment: datetime | None, what: str) -> bool:
        return bool(days[what]) and moment is not None and moment < now - timedelta(days=days[what])

    of_lead: dict[str, list[dict[str, Any]]] = {}
    for one in before["delivery"]:
        of_lead.setdefault(one["subject_id"], []).append(one)
    gone = {
        str(lead["lead_id"])
        for lead in before["lead"]
        if old(lead["received_at"], "leads")
        and old(lead["updated_at"], "leads")
        and all(old(one["finished_at"], "leads") for one in of_lead.get(str(lead["lead_id"]), []))
    }
    ended = {one["id"]: one["finished_at"] for one in before["delivery"]}
    kept = {one["id"] for one in before["delivery"] if one["subject_id"] not in gone}
    assert {str(one["lead_id"]) for one in before["lead"]} - {
        str(one["lead_id"]) for one in after["lead"]
    } == gone
    assert {one["id"] for one in after["delivery"]} == kept
    assert {one["delivery_id"] for one in after["mail"]} == kept
    for mail in after["mail"]:
        too_old = old(mail["written_at"], "mails") and old(ended[mail["delivery_id"]], "mails")
        assert (mail["raw"] is None) == too_old
    assert {one["delivery_id"] for one in after["attempt"]} == {
        one["delivery_id"]
        for one in before["attempt"]
        if one["delivery_id"] in kept
        and not (old(one["finished_at"], "attempts") and old(ended[one["delivery_id"]], "attempts"))
    }
    assert [one["id"] for one in after["poison"]] == [
        one["id"]
        for one in before["poison"]
        if one["settled_at"] is None or one["settled_at"] >= now - timedelta(days=90)
    ]


WAITS = "SELECT true FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def test_c88_a_delivery_redriven_at_that_moment_keeps_its_lead(mailer: Any, golden_lead: Leads) -> None:
    lead = golden_lead(received_at=mailer.clock.now())
    await delivered(mailer, lead)
    mailer.clock.advance(400 * DAY)
    before = mailer.clock.now() - timedelta(days=365)
    async with mailer.database.transaction() as conn:
        await conn.execute("UPDATE delivery SET phase = 'waiting', finished_at = NULL")
        async with mailer.database.acquire() as other:
            forgetting_it = asyncio.create_task(_forget(other, before))
            async with asyncio.timeout(20):
                while not await conn.fetchval(WAITS):  # noqa: ASYNC110 -- another connection is waited for
                    await asyncio.sleep(0.01)
            await conn.execute("COMMIT")
            assert not any((await forgetting_it).values())
            await conn.execute("BEGIN")
    assert len(await mailer.rows("SELECT * FROM lead")) == 1


async def _forget(conn: Any, before: datetime) -> Any:
    async with conn.transaction():
        return await forgetting.leads(conn, before, 10)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (forgetting._MAIL_BYTES, "mail_bytes"),
        (forgetting._ATTEMPTS, "attempt_finished"),
        (forgetting._POISON, "poison_settled"),
        (forgetting._LEADS, "lead_received"),
        (forgetting._LEADS, "delivery_subject"),
        (forgetting._DELIVERIES, "delivery_subject"),
        (forgetting._LEADS_MAILS, "mail_lead"),
    ],
)
async def test_c89_what_is_old_is_found_by_an_index(mailer: Any, statement: str, index: str) -> None:
    now = mailer.clock.now()
    for number in range(40):
        ids = [UUID(int=1000 * number + n) for n in range(500)]
        received = now - timedelta(days=10 * number)
        phases = ["delivered"] * len(ids)
        await mailer.rows(FILL, UUID(int=number), received, received, ids, phases, [received] * len(ids))
    for fill in (
        "INSERT INTO lead SELECT gen_random_uuid(), 1, '{}', 'm', true, false, at, at",
        "INSERT INTO poison (at, reason, detail, routing_key, headers, body, sha256, settled_at)"
        " SELECT at, 'r', 'd', 'k', '', '', 's', at",
    ):
        await mailer.rows(
            f"{fill} FROM generate_series($1::timestamptz - interval '400 d', $1, '30 m') AS at", now
        )
    await mailer.rows("ANALYZE")
    wanted: tuple[Any, ...] = (now - timedelta(days=380), 50)
    if statement in (forgetting._DELIVERIES, forgetting._LEADS_MAILS):
        wanted = ([str(UUID(int=1))],) if statement == forgetting._DELIVERIES else ([UUID(int=1)],)
    (row,) = await mailer.rows(f"EXPLAIN (FORMAT JSON) {statement}", *wanted)
    plan = json.dumps(next(iter(row.values())))
    assert index in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize(
    "given",
    [
        {"retention_leads_days": 29},
        {"retention_leads_days": 400},
        {"retention_inbox_days": 365},
        {"retention_leads_days": -1},
    ],
)
def test_c90_what_would_bring_old_leads_again_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        settings(**given)
    settings(retention_leads_days=0, retention_inbox_days=0)
