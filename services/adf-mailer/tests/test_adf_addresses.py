"""BA8 to BA15, BA20 to BA22, BA40 to BA42: addresses that refuse, on a real database and real SMTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from leadbus.contracts import Lead
from leadbus_devstack.smtp import SmtpServer
from leadbus_devstack.smtp.scripted import DROP

Leads = Callable[..., Lead]
Refusing = Callable[..., Awaitable[Any]]

ADDRESS, OTHER = "leads@prairie.dealercrm.example", "backup@prairie.example"
NO_MAILBOX = "550 5.1.1 no such mailbox"
NOT_FROM_US = "550 5.7.1 not from you"


async def to_the_first(command: str) -> str | None:
    return NO_MAILBOX if ADDRESS in command else None


async def to_the_first_not_from_us(command: str) -> str | None:
    return NOT_FROM_US if ADDRESS in command else None


async def tell(mailer: Any, golden_lead: Leads, number: int = 1) -> None:
    for _ in range(number):
        await mailer.take(mailer.event("received", golden_lead(lead_id=str(uuid4()))))
        await mailer.work()


async def standing(mailer: Any, **query: Any) -> list[dict[str, Any]]:
    answer = await mailer.http.get("/v1/addresses", headers=mailer.token("viewer"), params=query)
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def ends(mailer: Any) -> list[tuple[str, str | None]]:
    return [(row["phase"], row["reason"]) for row in await mailer.deliveries()]


async def test_ba8_a_mail_that_is_taken_clears_the_address(
    mailer: Any, golden_lead: Leads, refusing: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mailer.route()
    await refusing(rcpt=NO_MAILBOX)
    await tell(mailer, golden_lead, 2)
    (one,) = await standing(mailer)
    assert (one["address"], one["refusals"], one["suspended"]) == (ADDRESS, 2, False)

    monkeypatch.undo()
    await tell(mailer, golden_lead)
    assert await standing(mailer) == []
    assert await ends(mailer) == [("failed", "bad_address")] * 2 + [("delivered", None)]


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param({"dot": "554 5.6.0 not like this"}, id="BA9-content"),
        pytest.param({"rcpt": "501 5.5.4 what"}, id="BA9-protocol"),
        pytest.param({"rcpt": "452 4.2.2 full"}, id="BA9-full"),
        pytest.param({"banner": "421 4.3.2 closing"}, id="BA9-the-host"),
    ],
)
async def test_what_is_not_about_the_address(
    mailer: Any, golden_lead: Leads, refusing: Refusing, answers: Any
) -> None:
    await mailer.route()
    await refusing(**answers)
    await tell(mailer, golden_lead, 4)
    assert await standing(mailer) == []


async def test_ba10_what_is_for_a_suspended_address_waits_and_one_probes(
    mailer: Any, golden_lead: Leads, smtp: SmtpServer, refusing: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mailer.route()
    await refusing(rcpt=NO_MAILBOX)
    await tell(mailer, golden_lead, 3)
    await tell(mailer, golden_lead, 2)
    assert await ends(mailer) == [("failed", "bad_address")] * 3 + [("queued", "address_suspended")] * 2
    (destination,) = await mailer.rows("SELECT breaker, consecutive_failures FROM destination")
    assert dict(destination) == {"breaker": "closed", "consecutive_failures": 0}

    monkeypatch.undo()
    mailer.clock.advance(2000)
    await mailer.work()
    assert len(smtp.messages()) >= 1, "a probe went out and was taken"
    assert await standing(mailer) == []
    mailer.clock.advance(2000)
    await mailer.work()
    assert [phase for phase, _ in await ends(mailer)] == ["failed"] * 3 + ["delivered"] * 2


async def test_ba10_a_probe_that_is_refused_leaves_the_others_waiting(
    mailer: Any, golden_lead: Leads, refusing: Refusing
) -> None:
    await mailer.route()
    await refusing(rcpt=NO_MAILBOX)
    await tell(mailer, golden_lead, 3)
    await tell(mailer, golden_lead, 3)
    mailer.clock.advance(1200)
    await mailer.work()
    phases = [phase for phase, _ in await ends(mailer)]
    assert phases.count("failed") == 4, "the probe alone"
    (one,) = await standing(mailer, suspended="true")
    assert one["refusals"] == 4


@pytest.mark.parametrize("before", [0, 3], ids=["BA11-at-the-refusal", "BA11-while-suspended"])
async def test_the_alternate_address_takes_the_lead(
    mailer: Any, golden_lead: Leads, refusing: Refusing, before: int
) -> None:
    await mailer.route()
    await refusing(rcpt=to_the_first)
    await tell(mailer, golden_lead, before)
    await mailer.route(alternate_address=OTHER)
    await tell(mailer, golden_lead)
    first, second = (await mailer.deliveries())[before:]
    expected = ("skipped", "address_suspended") if before else ("failed", "bad_address")
    assert (first["phase"], first["reason"]) == expected
    assert (second["phase"], second["reason"]) == ("delivered", None)
    rows = await mailer.rows("SELECT recipient, role, status FROM mail ORDER BY written_at, role DESC")
    assert (OTHER, "alternate", "new") in [tuple(row.values()) for row in rows]


async def test_ba12_an_operator_says_that_it_was_mended(
    mailer: Any, golden_lead: Leads, refusing: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mailer.route()
    await refusing(rcpt=NO_MAILBOX)
    await tell(mailer, golden_lead, 3)
    await tell(mailer, golden_lead)
    monkeypatch.undo()
    path = f"/v1/addresses/{ADDRESS.upper()}/resume"
    assert (await mailer.http.post(path, headers=mailer.token("viewer"))).status_code == 403
    resumed = await mailer.http.post(path, headers=mailer.token("operator"))
    assert resumed.json() == {"address": ADDRESS, "due": 1}
    await mailer.work()
    assert [phase for phase, _ in await ends(mailer)] == ["failed"] * 3 + ["delivered"]
    (act,) = await mailer.rows("SELECT object FROM audit WHERE action = 'address.resumed'")
    assert act["object"] == f"address/{ADDRESS}"
    again = await mailer.http.post(path, headers=mailer.token("operator"))
    assert (again.status_code, again.json()["detail"]) == (404, "nothing is held against this address")


async def test_ba13_who_sees_one_dealer_sees_no_addresses(mailer: Any) -> None:
    limited = mailer.token("operator", ["prairie-motors"])
    assert (await mailer.http.get("/v1/addresses", headers=limited)).status_code == 403
    assert (await mailer.http.post(f"/v1/addresses/{ADDRESS}/resume", headers=limited)).status_code == 403


async def test_ba14_an_alternate_that_stands_in_the_route_is_refused(mailer: Any) -> None:
    answer = await mailer.route(alternate_address=ADDRESS.upper())
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/spec/alternate_address"
    assert "stands in the route already" in error["detail"]


async def test_ba15_an_address_that_was_corrected_takes_what_waits(
    mailer: Any, golden_lead: Leads, refusing: Refusing
) -> None:
    await mailer.route()
    await refusing(rcpt=to_the_first)
    await tell(mailer, golden_lead, 3)
    await tell(mailer, golden_lead)
    await mailer.route(address=OTHER)
    mailer.clock.advance(1200)
    await mailer.work()
    *_, waited, corrected = await mailer.deliveries()
    assert (waited["phase"], waited["reason"]) == ("skipped", "address_changed")
    assert corrected["phase"] == "delivered"


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param({"rcpt": NOT_FROM_US}, id="BA20-at-RCPT"),
        pytest.param({"dot": "554 5.7.26 unauthenticated"}, id="BA20-after-the-text"),
    ],
)
async def test_an_address_that_takes_nothing_from_us_is_left_alone(
    mailer: Any, golden_lead: Leads, refusing: Refusing, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mailer.route()
    await refusing(**answers)
    await tell(mailer, golden_lead, 5)
    assert await ends(mailer) == [("failed", "policy")] * 3 + [("queued", "address_suspended")] * 2
    (one,) = await standing(mailer, suspended="true", reason="policy")
    assert (one["reason"], one["refusals"], one["refusing_since"]) == ("policy", 3, "2026-04-15T16:00:00Z")
    assert await standing(mailer, reason="bad_address") == []

    monkeypatch.undo()
    mailer.clock.advance(1200)
    await mailer.work()
    assert await standing(mailer) == [], "the probe was taken"


async def test_ba21_nobody_stands_in_where_the_refusal_is_for_who_we_are(
    mailer: Any, golden_lead: Leads, refusing: Refusing
) -> None:
    await mailer.route(alternate_address=OTHER)
    await refusing(rcpt=to_the_first_not_from_us)
    await tell(mailer, golden_lead, 4)
    assert await ends(mailer) == [("failed", "policy")] * 3 + [("queued", "address_suspended")]


async def test_ba22_the_last_refusal_says_whether_another_address_helps(
    mailer: Any, golden_lead: Leads, refusing: Refusing
) -> None:
    await mailer.route()
    await refusing(rcpt=to_the_first_not_from_us)
    await tell(mailer, golden_lead, 3)
    await mailer.route(alternate_address=OTHER)
    await tell(mailer, golden_lead, 2)
    assert (await ends(mailer))[3:] == [("queued", "address_suspended")] * 2

    # The probe finds out that the mailbox has gone meanwhile.
    await refusing(rcpt=to_the_first)
    mailer.clock.advance(1200)
    await mailer.work()
    mailer.clock.advance(1200)
    await mailer.work()
    (one,) = await standing(mailer)
    assert (one["reason"], one["refusals"]) == ("bad_address", 4)
    assert sorted((await ends(mailer))[3:5]) == [("failed", "bad_address"), ("skipped", "address_suspended")]
    assert (await ends(mailer))[5:] == [("delivered", None)] * 2, "to the alternate address"


async def test_ba40_an_address_that_no_route_names_any_more_is_forgotten(
    mailer: Any, golden_lead: Leads, refusing: Refusing
) -> None:
    await mailer.route()
    await refusing(rcpt=to_the_first)
    await tell(mailer, golden_lead, 4)
    await mailer.route(address=OTHER)
    await mailer.addresses.refresh()
    assert [one["address"] for one in await standing(mailer)] == [ADDRESS], "one waits for it still"

    mailer.clock.advance(1200)
    await mailer.work()
    await mailer.addresses.refresh()
    assert await standing(mailer) == []
    assert (await ends(mailer))[-1] == ("delivered", None)


async def test_ba41_it_stays_while_a_mail_in_doubt_is_due_there(
    mailer: Any, golden_lead: Leads, refusing: Refusing
) -> None:
    await mailer.route()
    await refusing(rcpt=NO_MAILBOX)
    await tell(mailer, golden_lead)
    await refusing(dot=DROP)
    await tell(mailer, golden_lead)
    await mailer.route(address=OTHER)
    await mailer.addresses.refresh()
    assert [one["address"] for one in await standing(mailer)] == [ADDRESS]

    *_, doubtful = await mailer.deliveries()
    cancelled = f"/v1/deliveries/{doubtful['id']}/cancel"
    assert (await mailer.http.post(cancelled, headers=mailer.token("operator"))).is_success
    mailer.clock.advance(60)
    await mailer.addresses.refresh()
    assert await standing(mailer) == []


@pytest.mark.parametrize(
    "named",
    [
        pytest.param({"address": ADDRESS.capitalize()}, id="BA42-address"),
        pytest.param({"more_addresses": [ADDRESS]}, id="BA42-more"),
        pytest.param({"copies": ["a@b.example", ADDRESS]}, id="BA42-copy"),
        pytest.param({"notify": [ADDRESS]}, id="BA42-notify"),
        pytest.param({"alternate_address": ADDRESS}, id="BA42-alternate"),
        pytest.param({"address": ADDRESS, "enabled": False}, id="BA42-switched-off"),
    ],
)
async def test_what_any_route_names_stays(
    mailer: Any, golden_lead: Leads, refusing: Refusing, named: dict[str, Any]
) -> None:
    await mailer.route()
    await refusing(rcpt=NO_MAILBOX)
    await tell(mailer, golden_lead)
    assert (await mailer.route(**({"address": OTHER} | named))).is_success
    mailer.clock.advance(60)
    await mailer.addresses.refresh()
    assert [one["address"] for one in await standing(mailer)] == [ADDRESS]
