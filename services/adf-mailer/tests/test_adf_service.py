"""C1–C39, C60: from the event to the mail, on a real database and a real SMTP server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from adf_mailer.store import leads as lead_rows
from leadbus import log, metrics
from leadbus.consumer import UnreadablePropertiesError
from leadbus.contracts import Lead
from leadbus.contracts.events import LeadErased
from leadbus_devstack.smtp import SmtpServer, StoredMail
from lxml import etree

Leads = Callable[..., Lead]


def prospect(mail: StoredMail) -> Any:
    return etree.fromstring(mail.content.partition(b"\r\n\r\n")[2])[0]


def counted(name: str, **labels: str) -> float:
    return float(metrics.REGISTRY.get_sample_value(name, labels) or 0)


def erased(*lead_ids: UUID) -> bytes:
    return LeadErased.model_validate({"lead_ids": lead_ids, "erased_at": "2026-04-15T16:00:00Z"}).to_json()


async def test_c1_a_lead_becomes_a_mail(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    (stored,) = await mailer.rows("SELECT * FROM mail")
    await mailer.work()

    (mail,) = smtp.messages()
    assert mail.content == stored["raw"]
    assert (mail.mail_from, mail.rcpt_to) == ("leads@leadbus.example", ["leads@prairie.dealercrm.example"])
    assert hashlib.sha256(mail.content).hexdigest() == stored["sha256"]
    assert len(mail.content) == stored["size_bytes"]
    assert mail.message_id == stored["message_id"]
    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["attempts"], delivery["route"]) == ("delivered", 1, "main")
    (attempt,) = await mailer.rows("SELECT * FROM attempt")
    assert (attempt["outcome"], attempt["answer"]) == ("delivered", "250 2.0.0 stored")
    (event,) = await mailer.events()
    assert event["type"] == "delivery.succeeded.v1"
    assert event["subject_id"] == str(golden_lead().lead_id)
    assert event["sink"] == "adf-mailer"


async def test_c2_the_same_message_again_changes_nothing(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    message = mailer.event("received", golden_lead())
    await mailer.take(message, message)
    await mailer.take(message)
    await mailer.work()

    assert len(smtp.messages()) == 1
    assert len(await mailer.deliveries()) == 1


async def test_c3_the_same_revision_under_another_event_id_changes_nothing(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    for _ in range(2):
        await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()

    assert len(smtp.messages()) == 1


async def test_c4_no_route_is_said(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()

    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["reason"], delivery["route"]) == ("skipped", "no_route", "")
    (event,) = await mailer.events()
    assert (event["type"], event["outcome"]) == ("delivery.skipped.v1", "no_route")
    assert smtp.messages() == []


@pytest.mark.parametrize(
    ("lead", "route", "reason"),
    [
        pytest.param({"consent": {"basis": "withdrawn"}}, {}, "consent", id="C5"),
        pytest.param({"test": True}, {}, "test_lead", id="C6"),
        pytest.param({}, {"enabled": False}, "route_disabled", id="C7"),
    ],
)
async def test_skips_are_said(
    mailer: Any, golden_lead: Leads, lead: dict[str, Any], route: dict[str, Any], reason: str
) -> None:
    await mailer.route(**route)
    await mailer.take(mailer.event("received", golden_lead(**lead)))

    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["reason"], delivery["route"]) == ("skipped", reason, "main")
    assert [event["outcome"] for event in await mailer.events()] == [reason]
    assert await mailer.rows("SELECT * FROM mail") == []


async def test_c8_a_material_update_is_resent_recognisably(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    vehicles = [{"model": "Civic", "wanted": True}]
    await mailer.take(mailer.event("updated", golden_lead(revision=2, vehicles=vehicles)))
    await mailer.work()

    first, second = smtp.messages()
    assert (prospect(first).get("status"), prospect(second).get("status")) == ("new", "resend")
    for path in ("id", "requestdate"):
        assert [one.text for one in prospect(first).findall(path)] == [
            one.text for one in prospect(second).findall(path)
        ]
    assert prospect(second).findtext("vehicle/model") == "Civic"
    assert first.message_id != second.message_id


async def test_c9_an_enrichment_is_not_material(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    await mailer.route()
    source = {"value": "google", "as_of": "2026-04-14T16:14:20Z", "raw_id": str(uuid4())}
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.take(mailer.event("enriched", golden_lead(revision=2, attribution={"source": source})))
    await mailer.work()

    assert len(smtp.messages()) == 1
    assert [row["reason"] for row in await mailer.deliveries()] == [None, "not_material"]


async def test_c10_an_update_that_overtakes_its_lead(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    await mailer.take(mailer.event("updated", golden_lead(revision=2, message="later words")))
    await mailer.take(mailer.event("received", golden_lead(revision=1)))
    await mailer.work()

    (mail,) = smtp.messages()
    assert prospect(mail).get("status") == "new"
    assert "later words" in prospect(mail).findtext("customer/comments")


async def test_c11_of_revisions_in_one_batch_the_highest_goes(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    batch = [
        mailer.event("updated", golden_lead(revision=number, message=f"words {number}"))
        for number in (2, 3, 1)
    ]
    await mailer.take(*batch)
    await mailer.work()

    (mail,) = smtp.messages()
    assert "words 3" in prospect(mail).findtext("customer/comments")


async def test_c12_an_update_waits_for_the_mail_before_it(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    smtp.control(rcpt={"*": "450 4.2.1 busy"}, times=1)
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    await mailer.take(mailer.event("updated", golden_lead(revision=2, vehicles=[])))
    await mailer.work()
    assert smtp.messages() == []
    await mailer.later(60)

    assert [prospect(mail).get("status") for mail in smtp.messages()] == ["new", "resend"]


async def test_c13_consent_withdrawn_before_the_act(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    withdrawn = golden_lead(revision=2, consent={"basis": "withdrawn"})
    await mailer.take(mailer.event("consent_changed", withdrawn))
    await mailer.work()

    assert smtp.messages() == []
    assert [(row["phase"], row["reason"]) for row in await mailer.deliveries()] == [
        ("skipped", "consent"),
        ("skipped", "consent"),
    ]


async def test_c14_consent_that_comes_later_delivers(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    await mailer.take(
        mailer.event("received", golden_lead(channel="visit", consent={"basis": "none"})),
        mailer.event(
            "consent_changed", golden_lead(revision=2, channel="visit", consent={"basis": "granted"})
        ),
    )
    await mailer.work()

    (mail,) = smtp.messages()
    assert prospect(mail).get("status") == "new"


async def test_c15_an_erased_lead_is_forgotten_and_never_sent(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    lead = golden_lead()
    await mailer.take(mailer.event("received", lead))
    await mailer.take(mailer.message("lead.erased.v1", erased(lead.lead_id)))
    await mailer.work()
    await mailer.take(mailer.event("updated", golden_lead(revision=7)))
    await mailer.work()

    assert smtp.messages() == []
    (row,) = await mailer.rows("SELECT * FROM lead")
    assert (row["erased"], row["data"]) == (True, None)
    assert [row["raw"] for row in await mailer.rows("SELECT raw FROM mail")] == [None]
    assert [row["reason"] for row in await mailer.deliveries()] == ["erased"]


async def test_c16_an_erasure_that_overtakes_its_lead(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    lead = golden_lead()
    await mailer.take(mailer.message("lead.erased.v1", erased(lead.lead_id)), mailer.event("received", lead))
    await mailer.take(mailer.event("received", lead))
    await mailer.work()

    assert smtp.messages() == []
    async with mailer.database.acquire() as conn:
        assert await lead_rows.latest(conn, lead.lead_id) is None


async def test_c17_every_route_is_a_mail_of_its_own_with_one_recipient(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route("one")
    await mailer.route("two", address="second@prairie.example", intents=["callback"])
    await mailer.take(mailer.event("received", golden_lead(intents=["test_drive", "callback"])))
    await mailer.work()

    assert sorted(mail.rcpt_to for mail in smtp.messages()) == [
        ["leads@prairie.dealercrm.example"],
        ["second@prairie.example"],
    ]
    assert len({mail.message_id for mail in smtp.messages()}) == 2


@pytest.mark.parametrize(
    ("type_", "body", "reason"),
    [
        pytest.param("lead.received.v1", b"not json", "payload_invalid", id="C18"),
        pytest.param("lead.received.v1", b'{"lead": {"revision": 1}}', "payload_invalid", id="C19"),
        pytest.param("lead.received.v2", b"{}", "unsupported_type", id="C20"),
        pytest.param("lead.received.v1", b"\xff\xfe\x00", "payload_invalid", id="C21"),
        pytest.param("lead.erased.v1", b'{"lead_ids": []}', "payload_invalid", id="C22"),
    ],
)
async def test_unreadable_events_are_set_aside_and_hold_nobody_up(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, type_: str, body: bytes, reason: str
) -> None:
    await mailer.route()
    await mailer.take(mailer.message(type_, body), mailer.event("received", golden_lead()))
    await mailer.work()

    assert len(smtp.messages()) == 1
    (row,) = await mailer.rows("SELECT * FROM poison")
    assert (row["reason"], row["body"], row["routing_key"]) == (reason, body, type_)
    assert "not json" not in row["detail"]


async def test_c60_every_message_has_one_line_without_personal_data(
    mailer: Any, golden_lead: Leads, capfd: pytest.CaptureFixture[str]
) -> None:
    log.configure("adf-mailer", "INFO")
    lead, event = golden_lead(revision=2), mailer.event("received", golden_lead(revision=2))
    await mailer.route()
    repeats = counted("leadbus_adf_repeats_total")
    await mailer.take(mailer.message("lead.received.v1", b'{"lead": "Planted"}'), event)
    await mailer.take(event, mailer.event("received", golden_lead(revision=1)))
    await mailer.take(mailer.message("lead.erased.v1", erased(lead.lead_id)))

    said = capfd.readouterr().out
    lines = [line for line in map(json.loads, said.splitlines()) if line["event"].startswith("adf.")]
    assert [(line["event"], line["outcome"], line["level"]) for line in lines] == [
        ("adf.lead", "decided", "info"),
        ("adf.poison", "poison", "warning"),
        ("adf.lead", "outdated", "info"),
        ("adf.lead", "duplicate", "info"),
        ("adf.erased", "erased", "info"),
    ]
    assert counted("leadbus_adf_repeats_total") == repeats + 1
    assert (lines[0]["lead_id"], lines[0]["revision"]) == (str(lead.lead_id), 2)
    assert (len(lines[0]["mails"]), lines[0]["skipped"]) == (1, [])
    assert not [word for word in ("Planted", "nunez", "Núñez", "5550191", "555-0191") if word in said]


async def test_c23_a_type_that_is_not_the_routing_key(mailer: Any, golden_lead: Leads) -> None:
    message = mailer.event("received", golden_lead())
    object.__setattr__(message, "routing_key", "lead.updated.v1")
    await mailer.take(message)

    assert [row["reason"] for row in await mailer.rows("SELECT reason FROM poison")] == ["unsupported_type"]


async def test_c24_a_reused_event_id(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead(), event_id="e-1"))
    await mailer.take(mailer.event("received", golden_lead(message="other"), event_id="e-1"))

    assert [row["reason"] for row in await mailer.rows("SELECT reason FROM poison")] == ["id_reused"]
    assert len(await mailer.deliveries()) == 1


async def test_c25_a_message_nobody_can_handle_is_kept(mailer: Any, golden_lead: Leads) -> None:
    message = mailer.event("received", golden_lead())
    await mailer.leads.set_aside(message, ZeroDivisionError("secret"))
    await mailer.leads.set_aside(message, UnreadablePropertiesError("bad table"))

    rows = await mailer.rows("SELECT reason, detail FROM poison ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [
        ("failed", "ZeroDivisionError"),
        ("envelope_invalid", "UnreadablePropertiesError"),
    ]


@pytest.mark.parametrize(
    ("fault", "taken"),
    [
        pytest.param({"drop_after_dot": "stored"}, 2, id="C26-dropped-but-stored"),
        pytest.param({"drop_after_dot": "unstored"}, 1, id="C27-dropped-and-not-stored"),
        pytest.param({"hang_after_data": "stored"}, 2, id="C28-silent-but-stored"),
    ],
)
async def test_in_doubt_is_counted_said_and_resent_under_the_same_message_id(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, fault: dict[str, str], taken: int
) -> None:
    await mailer.route()
    smtp.control(**fault, times=1)
    doubts = counted("leadbus_smtp_in_doubt_total")
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    (waiting,) = await mailer.deliveries()
    assert (waiting["phase"], waiting["doubts"]) == ("waiting", 1)
    await mailer.later(120)

    mails = smtp.messages()
    assert len(mails) == taken
    assert len({mail.content for mail in mails}) == 1
    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["attempts"]) == ("delivered", 2)
    assert [row["ambiguous"] for row in await mailer.rows("SELECT * FROM attempt ORDER BY n")] == [
        True,
        False,
    ]
    assert [(event["type"], event["ambiguous"]) for event in await mailer.events()] == [
        ("delivery.succeeded.v1", True)
    ]
    assert counted("leadbus_smtp_in_doubt_total") == doubts + 1


async def test_c29_a_repeat_says_that_it_is_one(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    (delivery,) = await mailer.deliveries()
    for _ in range(2):
        path = f"/v1/deliveries/{delivery['id']}/redrive"
        assert (await mailer.http.post(path, headers=mailer.token("operator"))).status_code == 202
        await mailer.work()

    first, second, third = smtp.messages()
    assert [prospect(mail).get("status") for mail in (first, second, third)] == ["new", "resend", "resend"]
    assert len({mail.message_id for mail in (first, second, third)}) == 3
    assert second.message["References"] == third.message["References"] == first.message_id
    for path in ("id", "requestdate"):
        assert prospect(first).findtext(path) == prospect(second).findtext(path)
    rows = await mailer.rows("SELECT repeat_number, raw FROM mail ORDER BY repeat_number")
    assert [row["raw"] for row in rows] == [mail.content for mail in (first, second, third)]


async def test_c30_redriving_a_failed_delivery_sends_the_same_bytes(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    smtp.control(rcpt={"*": "550 5.1.1 no such mailbox"})
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["reason"]) == ("failed", "bad_address")
    smtp.control()
    path = f"/v1/deliveries/{delivery['id']}/redrive"
    await mailer.http.post(path, headers=mailer.token("operator"))
    await mailer.work()

    (mail,) = smtp.messages()
    (row,) = await mailer.rows("SELECT * FROM mail")
    assert (mail.content, row["repeat_number"]) == (row["raw"], 0)
    assert [event["type"] for event in await mailer.events()] == [
        "delivery.failed.v1",
        "delivery.recovered.v1",
    ]


async def test_c31_redriving_no_route_asks_the_routes_of_today(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.route()
    (skipped,) = await mailer.deliveries()
    path = f"/v1/deliveries/{skipped['id']}/redrive"
    assert (await mailer.http.post(path, headers=mailer.token("operator"))).status_code == 202
    await mailer.work()

    (mail,) = smtp.messages()
    assert prospect(mail).get("status") == "new"
    assert [(row["route"], row["phase"], row["reason"]) for row in await mailer.deliveries()] == [
        ("", "skipped", "planned_anew"),
        ("main", "delivered", None),
    ]


async def test_c32_redriving_a_skip_of_a_route_writes_the_mail_now(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead(test=True)))
    (skipped,) = await mailer.deliveries()
    await mailer.route(send_test_leads=True)
    path = f"/v1/deliveries/{skipped['id']}/redrive"
    await mailer.http.post(path, headers=mailer.token("operator"))
    await mailer.work()

    (mail,) = smtp.messages()
    assert mail.message["X-Leadbus-Test"] == "yes"


async def test_c39_a_corrected_address_gets_what_the_wrong_one_refused(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route(address="wrong@prairie.example")
    smtp.control(rcpt={"wrong@prairie.example": "550 5.1.1 no such mailbox"})
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    await mailer.route(address="right@prairie.example")
    (failed,) = await mailer.deliveries()
    path = f"/v1/deliveries/{failed['id']}/redrive"
    await mailer.http.post(path, headers=mailer.token("operator"))
    await mailer.work()

    (mail,) = smtp.messages()
    assert (mail.rcpt_to, prospect(mail).get("status")) == (["right@prairie.example"], "new")
    assert [(row["phase"], row["reason"]) for row in await mailer.deliveries()] == [
        ("skipped", "address_changed"),
        ("delivered", None),
    ]


async def test_c40_in_doubt_the_same_bytes_go_to_the_same_address(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    smtp.control(drop_after_dot="stored", times=1)
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    await mailer.route(address="right@prairie.example")
    await mailer.later(120)

    assert len({mail.content for mail in smtp.messages()}) == 1
    assert len(smtp.messages()) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"enabled": False}, "route_disabled", id="C41-switched-off"),
        pytest.param(None, "no_route", id="C42-deleted"),
    ],
)
async def test_a_route_that_went_before_the_act(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, change: dict[str, Any] | None, reason: str
) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    if change:
        await mailer.route(**change)
    else:
        headers = mailer.token("admin") | {"If-Match": "*"}
        await mailer.http.delete("/v1/settings/AdfRoute/main", headers=headers)
    await mailer.work()

    assert smtp.messages() == []
    assert [(row["phase"], row["reason"]) for row in await mailer.deliveries()] == [("skipped", reason)]


async def test_c43_an_update_after_a_refused_mail_is_new_to_the_receiver(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    smtp.control(rcpt={"*": "550 5.1.1 no such mailbox"}, times=1)
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    await mailer.take(mailer.event("updated", golden_lead(revision=2, vehicles=[])))
    await mailer.work()

    assert [prospect(mail).get("status") for mail in smtp.messages()] == ["new"]


async def test_c33_a_host_that_is_down_costs_no_tries(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    smtp.control(refuse=True)
    await mailer.take(*(mailer.event("received", golden_lead(lead_id=str(uuid4()))) for _ in range(8)))
    await mailer.work()
    assert {row["phase"] for row in await mailer.deliveries()} <= {"queued", "waiting"}
    assert {row["failures"] for row in await mailer.deliveries()} == {0}
    smtp.control()
    for _ in range(5):
        await mailer.later(600)

    assert len(smtp.messages()) == 8
    assert len({mail.message_id for mail in smtp.messages()}) == 8


@pytest.mark.parametrize("by_hand", [False, True], ids=["by-itself", "resumed"])
async def test_c33b_a_login_that_is_refused_holds_all_leads_until_it_is_accepted_again(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, by_hand: bool
) -> None:
    def health(state: str) -> float:
        return counted("leadbus_destination_health", sink="adf-mailer", destination=name, state=state)

    name = f"{smtp.host}:{smtp.port}"
    await mailer.route()
    smtp.control(mail="535 5.7.8 authentication credentials invalid for leads@leadbus.example")
    await mailer.take(*(mailer.event("received", golden_lead(lead_id=str(uuid4()))) for _ in range(8)))
    await mailer.work()
    for _ in range(3):
        await mailer.later(3600)

    deliveries = await mailer.deliveries()
    assert {row["phase"] for row in deliveries} <= {"queued", "waiting"}
    assert {row["failures"] for row in deliveries} == {0}
    (suspended,) = await mailer.events()
    assert (suspended["type"], suspended["destination"]) == ("destination.suspended.v1", name)
    assert (suspended["reason"], suspended["held"]) == ("auth_refused", 8)
    assert "leads@" not in json.dumps(suspended)
    await mailer.later(0)
    assert (health("suspended"), health("failing")) == (1, 0)
    shown = await mailer.http.get(f"/v1/destinations/{name}", headers=mailer.token("viewer"))
    assert (shown.json()["health"], shown.json()["work"]["in_flight"]) == ("suspended", 0)

    smtp.control()
    if by_hand:
        await mailer.http.post(f"/v1/destinations/{name}/resume", headers=mailer.token("operator"))
    else:
        mailer.clock.advance(900)
    await mailer.work()
    assert len(smtp.messages()) >= 7
    # The one that was refused last has its wait of a retry.
    await mailer.later(60)

    assert len(smtp.messages()) == len({mail.message_id for mail in smtp.messages()}) == 8
    events = await mailer.events()
    (resumed,) = [event for event in events if event["type"] == "destination.resumed.v1"]
    assert (resumed["since"], resumed["reason"]) == (suspended["since"], "auth_refused")
    assert [event["type"] for event in events].count("delivery.succeeded.v1") == 8
    assert health("suspended") == 0


async def test_c34_connections_are_reused(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    await mailer.route()
    opened = counted("leadbus_smtp_connections_total", event="opened")
    reused = counted("leadbus_smtp_connections_total", event="reused")
    await mailer.take(*(mailer.event("received", golden_lead(lead_id=str(uuid4()))) for _ in range(30)))
    await mailer.work()

    newly_opened = counted("leadbus_smtp_connections_total", event="opened") - opened
    assert newly_opened <= 4
    assert counted("leadbus_smtp_connections_total", event="reused") - reused == 30 - newly_opened
    assert len(smtp.messages()) == 30


async def test_c35_own_database_away_while_preparing_is_no_doubt(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))

    async def away(*_: Any) -> None:
        raise ConnectionResetError

    monkeypatch.setattr("adf_mailer.desk.mails.posted", away)
    await mailer.work()
    monkeypatch.undo()
    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["doubts"]) == ("waiting", 0)
    await mailer.later(120)

    assert len(smtp.messages()) == 1


async def test_c36_urgent_leads_go_first(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    for urgency in ("normal", "high", "highest"):
        await mailer.take(mailer.event("received", golden_lead(lead_id=str(uuid4()), urgency=urgency)))

    assert [row["priority"] for row in await mailer.deliveries()] == [0, 1, 2]


async def test_c37_a_batch_that_fails_leaves_nothing(
    mailer: Any, golden_lead: Leads, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mailer.route()

    def defect(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("adf_mailer.planning.write_each", defect)
    with pytest.raises(ZeroDivisionError):
        await mailer.take(mailer.event("received", golden_lead()))

    for table in ("inbox", "lead", "delivery", "mail", "poison"):
        assert await mailer.rows(f"SELECT * FROM {table}") == []


async def test_c38_a_lead_that_goes_is_in_no_event_and_no_answer(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    events = str(await mailer.events())

    assert "jose" not in events.lower()
    assert "312" not in str([event["route"] for event in await mailer.events()])
