"""BA25 to BA37: who is told that an address was suspended, and what the mail says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any
from uuid import uuid4

import pytest
from adf_mailer.domain.address_standing import Standing
from adf_mailer.domain.fixed_texts import LANGUAGES, fixed_texts
from adf_mailer.domain.letter import warning_key, write_warning
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.recipients import Recipient
from adf_mailer.domain.route import Route
from adf_mailer.domain.warning import Warned, people, warned
from leadbus.contracts import Lead
from leadbus.contracts.events import LeadErased

Leads = Callable[..., Lead]
Routes = Callable[..., Route]
Refusing = Callable[..., Awaitable[Any]]

ADDRESS, OTHER, BOSS = "leads@prairie.dealercrm.example", "backup@prairie.example", "boss@prairie.example"
NOW = datetime(2026, 4, 15, 16, 0, tzinfo=UTC)
SUSPENDED = Standing(
    ADDRESS, 3, refusing_since=datetime(2026, 4, 13, 9, 30, tzinfo=UTC), refused_at=NOW, suspended_at=NOW
)
TO_PEOPLE = Recipient(BOSS, "warning")


def refuses(*addresses: str, answer: str = "550 5.1.1 no such mailbox") -> dict[str, Any]:
    """A script: these recipients are refused."""

    async def answered(command: str) -> str | None:
        return answer if any(one in command for one in addresses) else None

    return {"rcpt": answered}


async def tell(mailer: Any, golden_lead: Leads, number: int = 1, **changes: Any) -> None:
    for _ in range(number):
        await mailer.take(mailer.event("received", golden_lead(**({"lead_id": str(uuid4())} | changes))))
        await mailer.work()


async def warnings(mailer: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await mailer.rows(
        "SELECT mail.recipient, delivery.phase, delivery.reason, delivery.id, mail.raw, mail.lead_id "
        "FROM mail JOIN delivery ON delivery.id = mail.delivery_id WHERE mail.role = 'warning' "
        "ORDER BY delivery.seq, mail.repeat_number"
    )
    return rows


def told(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["recipient"], row["phase"]) for row in rows]


def read(raw: bytes) -> Any:
    return message_from_bytes(raw, policy=policy.default)


def written(lead: Lead, route: Route, standing: Standing = SUSPENDED) -> Any:
    of = warned(Recipient(ADDRESS), standing, route)
    assert of is not None
    letterhead = Letterhead("leads@leadbus.example")
    return read(write_warning(of, lead, route, TO_PEOPLE, date=NOW, letterhead=letterhead).mail.raw)


async def test_ba25_the_refusal_that_suspends_tells_the_routes_people_once(
    mailer: Any, golden_lead: Leads, refusing: Refusing
) -> None:
    await mailer.route(notify=[BOSS, "sales@prairie.example"])
    await refusing(**refuses(ADDRESS))
    await tell(mailer, golden_lead, 2)
    assert await warnings(mailer) == []

    await tell(mailer, golden_lead)
    rows = await warnings(mailer)
    assert told(rows) == [(BOSS, "delivered"), ("sales@prairie.example", "delivered")]
    assert read(rows[0]["raw"])["X-Leadbus-Lead"] == str(rows[0]["lead_id"])

    await tell(mailer, golden_lead)
    for _ in range(3):  # probes
        mailer.clock.advance(4000)
        await mailer.work()
    assert len(await warnings(mailer)) == 2


async def test_ba26_a_route_without_people_tells_nobody(
    mailer: Any, golden_lead: Leads, refusing: Refusing
) -> None:
    await mailer.route()
    await refusing(**refuses(ADDRESS))
    await tell(mailer, golden_lead, 3)
    (suspended,) = await mailer.rows("SELECT suspended FROM address_standing")
    assert suspended["suspended"]
    assert await warnings(mailer) == []


async def test_ba27_suspended_again_after_it_was_mended_tells_again(
    mailer: Any, golden_lead: Leads, refusing: Refusing
) -> None:
    await mailer.route(notify=[BOSS])
    await refusing(**refuses(ADDRESS))
    await tell(mailer, golden_lead, 3)
    (first,) = await warnings(mailer)
    await mailer.http.post(f"/v1/addresses/{ADDRESS}/resume", headers=mailer.token("operator"))
    mailer.clock.advance(60)
    failed = [row for row in await mailer.deliveries() if row["phase"] == "failed"]
    for row in failed:
        path = f"/v1/deliveries/{row['id']}/redrive"
        assert (await mailer.http.post(path, headers=mailer.token("operator"))).status_code == 202
        await mailer.work()
    again = await warnings(mailer)
    assert told(again) == [(BOSS, "delivered")] * 2
    assert [row["lead_id"] for row in again] == [first["lead_id"]] * 2, "of the same lead, another mail"


async def test_ba28_copies_people_and_warnings_that_are_refused_warn_nobody(
    mailer: Any, golden_lead: Leads, refusing: Refusing
) -> None:
    await mailer.route(copies=["copy@prairie.example"], notify=[BOSS])
    await refusing(**refuses("copy@prairie.example", BOSS))
    await tell(mailer, golden_lead, 4)
    assert await warnings(mailer) == []

    await mailer.http.post(f"/v1/addresses/{BOSS}/resume", headers=mailer.token("operator"))
    await refusing(**refuses(ADDRESS, BOSS))
    await tell(mailer, golden_lead, 3)
    mailer.clock.advance(4000)
    await mailer.work()
    rows = await mailer.rows("SELECT address, suspended FROM address_standing ORDER BY address")
    assert [(row["address"], row["suspended"]) for row in rows] == [
        (BOSS, True),
        (ADDRESS, True),
    ]
    assert [recipient for recipient, _ in told(await warnings(mailer))] == [BOSS], "the one about the CRM's"


async def test_ba29_an_alternate_address_that_refuses_as_well_tells_that_leads_wait(
    mailer: Any, golden_lead: Leads, refusing: Refusing
) -> None:
    await mailer.route(alternate_address=OTHER, notify=[BOSS])
    await refusing(**refuses(ADDRESS, OTHER))
    await tell(mailer, golden_lead, 3)
    bodies = [read(row["raw"]).get_content() for row in await warnings(mailer)]
    assert [f"Address: {ADDRESS}" in body for body in bodies] == [True, False]
    assert [f"go to {OTHER}" in body for body in bodies] == [True, False]
    assert [f"Address: {OTHER}" in body and "wait from now on" in body for body in bodies] == [False, True]


async def test_ba30_what_suspends_and_what_tells_are_one_commit(
    mailer: Any, golden_lead: Leads, refusing: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mailer.route(notify=[BOSS])
    await refusing(**refuses(ADDRESS))
    await tell(mailer, golden_lead, 2)
    desk = mailer.engine._acting._sink._refusals._desk
    with monkeypatch.context() as broken:

        async def warn(*_: Any) -> None:
            raise ConnectionError("the database went away here")

        broken.setattr(desk, "warn", warn)
        await tell(mailer, golden_lead)
    (one,) = await mailer.rows("SELECT refusals, suspended FROM address_standing")
    assert (one["refusals"], one["suspended"]) == (2, False)
    refused = [row["reason"] for row in await mailer.deliveries() if row["phase"] == "failed"]
    assert refused == ["bad_address"] * 3

    await tell(mailer, golden_lead)
    assert told(await warnings(mailer)) == [(BOSS, "delivered")], "the next refusal makes up for it"


async def test_ba32_a_warning_tells_nobody_of_its_lead(
    mailer: Any, golden_lead: Leads, refusing: Refusing
) -> None:
    """It makes no later mail a resend, and keeps no update back from those that a lead never reached."""
    lead_id = str(uuid4())
    await mailer.route(notify=[BOSS])
    await refusing(**refuses(ADDRESS))
    await tell(mailer, golden_lead, 2)
    await mailer.route(notify=[])
    await tell(mailer, golden_lead, lead_id=lead_id)
    assert await warnings(mailer) == []
    await mailer.http.post(f"/v1/addresses/{ADDRESS}/resume", headers=mailer.token("operator"))
    await mailer.route(notify=[BOSS])
    await tell(mailer, golden_lead, 2)
    failed = [row for row in await mailer.deliveries() if row["subject_id"] == lead_id]
    await mailer.http.post(f"/v1/deliveries/{failed[0]['id']}/redrive", headers=mailer.token("operator"))
    await mailer.work()
    (warning,) = await warnings(mailer)
    assert str(warning["lead_id"]) == lead_id

    await mailer.take(mailer.event("updated", golden_lead(lead_id=lead_id, revision=2)))
    later = await mailer.rows("SELECT role, status FROM mail WHERE revision = 2 ORDER BY role")
    assert [tuple(row.values()) for row in later] == [("lead", "new"), ("notice", "new")]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        pytest.param("moved", ("skipped", "address_changed"), id="BA33-not-among-the-routes-people-any-more"),
        pytest.param("repeated", ("skipped", "warning_outdated"), id="BA34-redriven-after-it-was-delivered"),
        pytest.param("erased", ("skipped", "erased"), id="BA35-its-lead-is-erased"),
        pytest.param("withdrawn", ("skipped", "consent"), id="BA35-consent-is-withdrawn"),
    ],
)
async def test_a_warning_that_is_out_of_date(
    mailer: Any, golden_lead: Leads, refusing: Refusing, before: str, expected: tuple[str, str]
) -> None:
    await mailer.route(notify=[BOSS])

    async def not_this_one(_: str) -> str | None:
        late = before != "repeated" and b"refuses leads" in server.mails[-1]
        return "451 4.3.0 later" if late else None

    server = await refusing(**refuses(ADDRESS), dot=not_this_one)
    await tell(mailer, golden_lead, 3)
    (warning,) = await warnings(mailer)
    assert warning["phase"] == ("delivered" if before == "repeated" else "waiting")
    mails = await mailer.rows("SELECT delivery_id, repeat_number FROM mail ORDER BY 1, 2")
    if before == "moved":
        await mailer.route(notify=["new@prairie.example"])
    if before == "repeated":
        path = f"/v1/deliveries/{warning['id']}/redrive"
        assert (await mailer.http.post(path, headers=mailer.token("operator"))).status_code == 202
    if before == "erased":
        event = LeadErased.model_validate({"lead_ids": [str(warning["lead_id"])], "erased_at": NOW})
        await mailer.take(mailer.message("lead.erased.v1", event.to_json()))
    if before == "withdrawn":
        lead_id = str(warning["lead_id"])
        withdrawn = golden_lead(lead_id=lead_id, revision=2, consent={"basis": "withdrawn"})
        await mailer.take(mailer.event("consent_changed", withdrawn))
    await mailer.later(600)
    after = {row["id"]: row for row in await mailer.deliveries()}
    assert (after[warning["id"]]["phase"], after[warning["id"]]["reason"]) == expected
    assert await mailer.rows("SELECT delivery_id, repeat_number FROM mail ORDER BY 1, 2") == mails, (
        "in nobody's place"
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", ["bad_address", "policy"])
@pytest.mark.parametrize("elsewhere", [None, OTHER], ids=["waits", "elsewhere"])
def test_ba36_it_says_what_refuses_since_when_and_what_to_do(
    golden_lead: Leads, make_route: Routes, language: Any, reason: Any, elsewhere: str | None
) -> None:
    lead, words = golden_lead(), fixed_texts()[language]
    route = make_route(notify=[BOSS], language=language, alternate_address=elsewhere)
    standing = Standing(
        ADDRESS, 3, reason, refusing_since=SUSPENDED.refusing_since, refused_at=NOW, suspended_at=NOW
    )
    mail = written(lead, route, standing)
    body = mail.get_content()

    assert mail["To"] == BOSS
    assert mail["Subject"] == words["warning_subject"].format(dealer=lead.dealer.name)
    assert mail["Reply-To"] is None
    assert mail["X-Leadbus-Lead"] == str(lead.lead_id)
    facts = [
        (words["warning_address"], ADDRESS),
        (words["warning_since"], "2026-04-13 04:30:00"),
        (words["warning_refusals"], "3"),
        (words["warning_why"], words[f"warning_why_{reason}"]),
        (words["warning_do"], words[f"warning_do_{reason}"]),
        (words["notice_dealer"], lead.dealer.name),
        (words["warning_route"], "main"),
        (words["notice_lead"], str(lead.lead_id)),
    ]
    lines = body.splitlines()
    assert [f"{what}: {fact}" for what, fact in facts if f"{what}: {fact}" not in lines] == []
    instead = elsewhere is not None and reason == "bad_address"
    assert (words["warning_leads_elsewhere"].format(address=OTHER) in lines) is instead
    assert (words["warning_leads_wait"] in lines) is not instead


@pytest.mark.parametrize("kind", ["chat", "rich"])
def test_ba37_it_names_no_shopper(golden_lead: Leads, make_route: Routes, kind: str) -> None:
    lead = golden_lead(kind, message="Is it still there?")
    whole = str(written(lead, make_route(notify=[BOSS], subject="{vehicle}", reply_to="customer")))
    customer = lead.customer
    told_of = [
        *(one.e164 for one in customer.phones),
        *(one.address for one in customer.emails),
        customer.name.full,
        lead.message,
        *(vehicle.model for vehicle in lead.vehicles),
        *(line.text for line in lead.transcript),
    ]
    assert [one for one in told_of if one and one in whole] == []
    assert [one for one in told_of if one]


@pytest.mark.parametrize(
    ("role", "standing", "spec", "expected"),
    [
        pytest.param("lead", SUSPENDED, {}, [BOSS], id="BA25"),
        pytest.param("alternate", SUSPENDED, {}, [BOSS], id="BA29"),
        pytest.param("copy", SUSPENDED, {}, [], id="BA28-copy"),
        pytest.param("notice", SUSPENDED, {}, [], id="BA28-notice"),
        pytest.param("warning", SUSPENDED, {}, [], id="BA28-warning"),
        pytest.param("lead", Standing(ADDRESS, 2), {}, [], id="BA25-not-suspended"),
        pytest.param("lead", SUSPENDED, {"notify": []}, [], id="BA26"),
    ],
)
def test_who_is_told(
    make_route: Routes, role: Any, standing: Standing, spec: dict[str, Any], expected: list[str]
) -> None:
    route = make_route(**({"notify": [BOSS]} | spec))
    of = warned(Recipient(ADDRESS, role), standing, route)
    assert [one.address for one in (people(route, of) if of else [])] == expected


def test_ba29_the_address_that_refuses_is_not_told_of_itself(make_route: Routes) -> None:
    route = make_route(notify=[BOSS, OTHER], alternate_address=OTHER.upper())
    of = warned(Recipient(OTHER.upper(), "alternate"), SUSPENDED, route)
    assert of is not None
    assert people(route, of) == [TO_PEOPLE]


def test_ba27_one_key_for_each_suspension_address_and_person(golden_lead: Leads, make_route: Routes) -> None:
    lead, route = golden_lead(), make_route(notify=[BOSS])

    def key(address: str = ADDRESS, at: datetime = NOW, to: str = BOSS) -> str:
        of = Warned(address, "bad_address", 3, NOW, at, None)
        return warning_key(lead, route, of, Recipient(to, "warning"))

    assert key() == key()
    assert len({key(), key(OTHER), key(at=datetime(2026, 4, 16, tzinfo=UTC)), key(to=OTHER)}) == 4
