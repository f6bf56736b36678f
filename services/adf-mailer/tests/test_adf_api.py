"""H1–H14: what operators ask and set over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from adf_mailer.store import routes
from adf_mailer.store.tables import METADATA
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from leadbus import delivery, inbox, jobs, outbox
from leadbus.contracts import Lead
from leadbus.settings import documents
from leadbus.web.audit import metadata as audit
from leadbus_devstack.smtp import SmtpServer
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

Leads = Callable[..., Lead]

# Of the last two, indexes of ours on shared tables.
MIGRATIONS_ALONE = ("alembic_version", "setting_route_dealer", "delivery_unrouted")


async def test_h1_the_exact_mail_for_operators_on_record(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    (row,) = await mailer.deliveries()
    path = f"/v1/deliveries/{row['id']}/mail"

    shown = await mailer.http.get(path, headers=mailer.token("operator"))
    assert shown.content == smtp.messages()[0].content
    assert shown.headers["content-type"] == "message/rfc822"
    assert shown.headers["cache-control"] == "no-store"
    (act,) = await mailer.rows("SELECT actor, object FROM audit WHERE action = 'delivery.mail_shown'")
    assert act == {"actor": "test-operator", "object": f"delivery/{row['id']}"}
    assert (await mailer.http.get(path, headers=mailer.token("viewer"))).status_code == 403
    assert (await mailer.http.get(path)).status_code == 401
    assert (await mailer.http.get(f"{path}?repeat=1", headers=mailer.token("operator"))).status_code == 404
    others = mailer.token("operator", ["other-dealer"])
    assert (await mailer.http.get(path, headers=others)).status_code == 404
    own = mailer.token("operator", ["prairie-motors"])
    assert (await mailer.http.get(path, headers=own)).status_code == 200


async def test_h2_the_story_of_a_delivery_tells_its_mails(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    (row,) = await mailer.deliveries()
    story = (await mailer.http.get(f"/v1/deliveries/{row['id']}", headers=mailer.token("viewer"))).json()

    (mail,) = story["details"]["mails"]
    (stored,) = await mailer.rows("SELECT recipient, message_id, sha256, size_bytes FROM mail")
    assert {key: mail[key] for key in stored} == stored
    assert story["tries"][0]["answer"] == "250 2.0.0 stored"


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [
        pytest.param({"address": "a@x.example, b@x.example"}, "/spec/address", id="H3"),
        pytest.param({"time_zone": "Mars/Olympus"}, "/spec/time_zone", id="H4"),
        pytest.param({"subject": "{customer}"}, "/spec/subject", id="H5"),
        pytest.param({"subjekt": "x"}, "/spec/subjekt", id="H6"),
        pytest.param({"from_address": "x\r\nBcc: y@z.example"}, "/spec/from_address", id="H7"),
    ],
)
async def test_wrong_routes_are_refused_by_field(mailer: Any, spec: dict[str, Any], pointer: str) -> None:
    answer = await mailer.route(**spec)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await mailer.rows("SELECT * FROM setting") == []


async def test_h8_two_enabled_routes_of_a_dealer_to_one_address(mailer: Any) -> None:
    assert (await mailer.route("one", address="Leads@x.example")).status_code == 201
    overlap = await mailer.route("two", address=" leads@X.EXAMPLE ")

    assert overlap.status_code == 422
    assert overlap.json()["errors"][0]["pointer"] == "/spec/address"
    assert overlap.json()["errors"][0]["code"] == "route_overlaps"
    assert (await mailer.route("two", address="leads@x.example", enabled=False)).status_code == 201
    assert (await mailer.route("three", address="leads@x.example", dealer="other")).status_code == 201
    assert (await mailer.route("one", address="leads@x.example")).status_code == 200


async def test_h9_what_was_repaired_can_be_seen_in_the_answer(mailer: Any) -> None:
    answer = await mailer.route(address=" leads@Prairie.EXAMPLE ")

    assert answer.json()["document"]["spec"]["address"] == "leads@prairie.example"


async def test_h10_poison_is_listed_retried_and_discarded(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    good = mailer.event("received", golden_lead())
    await mailer.leads.set_aside(good, ZeroDivisionError())
    await mailer.take(mailer.message("lead.received.v1", b"not json"))
    page = (await mailer.http.get("/v1/poison?open=true&sort=at", headers=mailer.token("viewer"))).json()
    reasons = {item["reason"]: item["id"] for item in page["items"]}
    assert set(reasons) == {"failed", "payload_invalid"}

    operator = mailer.token("operator")
    retried = await mailer.http.post(f"/v1/poison/{reasons['failed']}/retry", headers=operator)
    assert retried.json()["settled_as"] == "retried"
    await mailer.work()
    assert len(smtp.messages()) == 1
    again = await mailer.http.post(f"/v1/poison/{reasons['failed']}/retry", headers=operator)
    assert again.status_code == 404

    still = await mailer.http.post(f"/v1/poison/{reasons['payload_invalid']}/retry", headers=operator)
    assert still.status_code == 409
    gone = await mailer.http.post(f"/v1/poison/{reasons['payload_invalid']}/discard", headers=operator)
    assert gone.json()["settled_as"] == "discarded"
    page = (await mailer.http.get("/v1/poison?open=true", headers=mailer.token("viewer"))).json()
    assert page["items"] == []
    assert len((await mailer.http.get("/v1/poison", headers=mailer.token("viewer"))).json()["items"]) == 2


async def test_h11_limited_tokens_see_no_poison(mailer: Any) -> None:
    limited = mailer.token("operator", ["prairie-motors"])

    assert (await mailer.http.get("/v1/poison", headers=limited)).status_code == 403
    assert (await mailer.http.post("/v1/poison/1/retry", headers=limited)).status_code == 403


async def test_h12_unknown_ids_are_404(mailer: Any) -> None:
    operator = mailer.token("operator")
    for path in ("/v1/poison/77/retry", "/v1/poison/77/discard"):
        assert (await mailer.http.post(path, headers=operator)).status_code == 404
    missing = await mailer.http.get(f"/v1/deliveries/{uuid4()}/mail", headers=operator)
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"


async def test_h13_the_migrated_schema_is_the_declared_one(mailer_database_url: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        spine = [inbox.metadata, outbox.metadata, delivery.metadata, jobs.metadata]
        declared = [METADATA, *spine, documents.metadata, audit]
        return list(compare_metadata(context, declared))  # type: ignore[arg-type]

    engine = create_async_engine(mailer_database_url.replace("postgresql://", "postgresql+asyncpg://", 1))
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()

    assert [each for each in found if not any(name in str(each) for name in MIGRATIONS_ALONE)] == []


async def test_h14_routes_are_found_by_their_dealer_without_reading_them_all(mailer: Any) -> None:
    async with mailer.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO setting (kind, name, spec, revision, etag, managed_by, updated_at, updated_by)"
            " SELECT 'AdfRoute', 'r' || n, jsonb_build_object('dealer', 'd' || n), 1, '', '', now(), ''"
            " FROM generate_series(1, 3000) AS n"
        )
        await conn.execute("ANALYZE setting")
        plan = await conn.fetch(f"EXPLAIN WITH {routes._OF_DEALERS} TABLE dealers_routes", ["d1", "d2"])
    assert any("setting_route_dealer" in row[0] for row in plan)
