"""RT30–RT49: one mail for each address, in the form of its role."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from email.message import Message
from importlib.resources import files
from typing import Any
from uuid import uuid4

import pytest
from adf_mailer.domain.letter import delivery_key
from adf_mailer.domain.recipients import Recipient, recipients
from adf_mailer.domain.route import Route
from adf_mailer.domain.routing import Decision, Deliver, Skip, decide
from leadbus.contracts import Lead
from leadbus_devstack.smtp import SmtpServer, StoredMail
from lxml import etree

Leads = Callable[..., Lead]
Routes = Callable[..., Route]

ALL = {
    "address": "crm@x.example",
    "more_addresses": ["second@x.example"],
    "copies": ["copy@x.example"],
    "notify": ["people@x.example"],
}
VEHICLES = [{"model": "Civic", "wanted": True}]
DRIVE = {"intents": ["test_drive"]}
BOTH = {"intents": ["price", "test_drive"]}


def sent(decisions: list[Decision]) -> list[tuple[str, str, str]]:
    """(route, role, local part) of each mail."""
    return [
        (one.route.name, one.recipient.role, one.recipient.address.partition("@")[0])
        for one in decisions
        if isinstance(one, Deliver)
    ]


def test_rt30_every_address_of_a_route_gets_a_mail(golden_lead: Leads, make_route: Routes) -> None:
    assert sent(decide(golden_lead(), None, [make_route(**ALL)], set())) == [
        ("main", "lead", "crm"),
        ("main", "lead", "second"),
        ("main", "copy", "copy"),
        ("main", "notice", "people"),
    ]


@pytest.mark.parametrize(
    ("first", "second", "mails"),
    [
        pytest.param(
            {"address": "a@x.example", "copies": ["x@x.example"]},
            {"address": "x@x.example"},
            [("first", "lead", "a"), ("second", "lead", "x")],
            id="RT31-the-document-before-a-copy",
        ),
        pytest.param(
            {"address": "a@x.example", "notify": ["x@x.example"]},
            {"address": "b@x.example", "copies": ["x@x.example"]},
            [("first", "lead", "a"), ("second", "lead", "b"), ("second", "copy", "x")],
            id="RT32-a-copy-before-people",
        ),
        pytest.param(
            {"address": "a@x.example", "notify": ["x@x.example"]},
            {"address": "b@x.example", "notify": ["X@x.example"]},
            [("first", "lead", "a"), ("first", "notice", "x"), ("second", "lead", "b")],
            id="RT33-by-the-first-route-in-any-case",
        ),
        pytest.param(
            {"address": "a@x.example"},
            {"address": "A@x.example"},
            [("first", "lead", "a")],
            id="RT34-all-stands-in-another-stored-before-the-rule",
        ),
    ],
)
def test_an_address_in_two_routes_gets_one_mail(
    golden_lead: Leads,
    make_route: Routes,
    first: dict[str, Any],
    second: dict[str, Any],
    mails: list[tuple[str, str, str]],
) -> None:
    both = [make_route("second", **second, **DRIVE), make_route("first", **first)]

    assert sent(decide(golden_lead(**BOTH), None, both, set())) == mails


def test_rt35_a_route_that_takes_no_tests_keeps_no_address_from_one_that_does(
    golden_lead: Leads, make_route: Routes
) -> None:
    no = make_route("no", address="x@x.example")
    yes = make_route("yes", send_test_leads=True, copies=["x@x.example"], **DRIVE)
    decisions = decide(golden_lead(test=True, **BOTH), None, [no, yes], set())

    assert decisions[0] == Skip(no, "test_lead")
    assert ("yes", "copy", "x") in sent(decisions)


@pytest.mark.parametrize(
    ("updates", "told", "expected"),
    [
        pytest.param(
            "resend",
            {("crm@x.example", "adf"), ("people@x.example", "notice")},
            ["resend", "new", "new", "resend"],
            id="RT36-new-to-whoever-had-none",
        ),
        pytest.param("ignore", {("crm@x.example", "adf")}, ["new", "new", "new"], id="RT37"),
        pytest.param(
            "ignore",
            {(address, "adf") for address in ("crm@x.example", "second@x.example", "copy@x.example")}
            | {("people@x.example", "notice")},
            "updates_ignored",
            id="RT38-one-skip",
        ),
        pytest.param(
            "resend",
            {("copy@x.example", "notice"), ("people@x.example", "adf")},
            ["new", "new", "new", "new"],
            id="RT39-a-document-is-no-notice",
        ),
    ],
)
def test_a_material_update(
    golden_lead: Leads, make_route: Routes, updates: str, told: Any, expected: list[str] | str
) -> None:
    route = make_route(updates=updates, **ALL)
    decisions = decide(golden_lead(vehicles=[]), golden_lead(), [route], told)

    if isinstance(expected, str):
        assert decisions == [Skip(route, "updates_ignored")]
    else:
        assert [one.status for one in decisions if isinstance(one, Deliver)] == expected


def test_rt40_no_two_addresses_have_one_key(golden_lead: Leads, make_route: Routes) -> None:
    odd = make_route(
        address="a@x.example",
        more_addresses=["copy/a@x.example", "notice/a@x.example", "b@x.example"],
        copies=["c@x.example"],
        notify=["d@x.example"],
    )
    lead = golden_lead()
    twisted = [*recipients(odd.spec), Recipient("a@x.example", "copy"), Recipient("a@x.example", "notice")]
    keys = [delivery_key(lead, odd, one) for one in twisted]

    assert len(set(keys)) == len(keys)
    assert keys[0] == delivery_key(lead, odd) == f"{lead.lead_id}/main/a@x.example/1"


def by_recipient(smtp: SmtpServer) -> dict[str, StoredMail]:
    mails = smtp.messages()
    assert all(len(mail.rcpt_to) == 1 for mail in mails)
    found = {mail.rcpt_to[0].partition("@")[0]: mail for mail in mails}
    assert len(found) == len(mails)
    return found


def body(mail: StoredMail) -> bytes:
    return mail.content.partition(b"\r\n\r\n")[2]


async def test_rt41_documents_copies_and_notices(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    await mailer.route(**ALL)
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()

    mails = by_recipient(smtp)
    assert body(mails["crm"]) == body(mails["second"]) == body(mails["copy"])
    assert {name: mail.message["X-Leadbus-Copy"] for name, mail in mails.items()} == {
        "crm": None,
        "second": None,
        "copy": "yes",
        "people": None,
    }
    assert {name: mail.message["To"] for name, mail in mails.items()} == {
        name: f"{name}@x.example" for name in mails
    }
    assert len({mail.message_id for mail in mails.values()}) == 4
    people: Message = mails["people"].message
    assert people["Subject"] == mails["crm"].message["Subject"]
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(body(mails["people"]))
    rows = await mailer.rows("SELECT recipient, role, status FROM mail ORDER BY recipient")
    assert [(row["recipient"].partition("@")[0], row["role"], row["status"]) for row in rows] == [
        ("copy", "copy", "new"),
        ("crm", "lead", "new"),
        ("people", "notice", "new"),
        ("second", "lead", "new"),
    ]
    assert {row["phase"] for row in await mailer.deliveries()} == {"delivered"}
    story = await mailer.http.get(
        f"/v1/deliveries/{(await mailer.deliveries())[2]['id']}", headers=mailer.token("viewer")
    )
    assert story.json()["details"]["mails"][0]["role"] == "copy"


async def test_rt42_an_address_that_fails_holds_no_other_up(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route(**ALL)
    smtp.control(rcpt={"crm@x.example": "450 4.2.1 busy", "copy@x.example": "550 5.1.1 gone"})
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    assert set(by_recipient(smtp)) == {"second", "people"}
    smtp.control()
    await mailer.later(60)
    assert set(by_recipient(smtp)) == {"crm", "second", "people"}


async def test_rt43_at_each_address_an_update_waits_for_its_lead(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route(**ALL)
    smtp.control(rcpt={"copy@x.example": "450 4.2.1 busy"}, times=1)
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    # Whoever stands first among them now.
    await mailer.route(**(ALL | {"address": "second@x.example", "more_addresses": ["crm@x.example"]}))
    await mailer.take(mailer.event("updated", golden_lead(revision=2, vehicles=VEHICLES)))
    await mailer.work()
    assert [
        mail.message["X-Leadbus-Revision"] for mail in smtp.messages() if "copy@" in mail.rcpt_to[0]
    ] == []
    await mailer.later(60)

    order: dict[str, list[str]] = {}
    for mail in smtp.messages():
        order.setdefault(mail.rcpt_to[0], []).append(mail.message["X-Leadbus-Revision"])
    assert order == {f"{name}@x.example": ["1", "2"] for name in ("crm", "second", "copy", "people")}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"consent": {"basis": "withdrawn"}}, "consent", id="RT44-consent"),
        pytest.param({"enabled": False}, "route_disabled", id="RT45-route-off"),
        pytest.param({"send_test_leads": False}, "test_lead", id="RT46-test-refused"),
    ],
)
async def test_what_forbids_the_lead_forbids_copies_and_notices(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, change: dict[str, Any], reason: str
) -> None:
    test = reason == "test_lead"
    await mailer.route(**ALL, send_test_leads=True)
    await mailer.take(mailer.event("received", golden_lead(test=test)))
    if "consent" in change:
        await mailer.take(mailer.event("consent_changed", golden_lead(revision=2, **change)))
    else:
        await mailer.route(**(ALL | {"send_test_leads": True} | change))
    await mailer.work()

    assert smtp.messages() == []
    planned = [row for row in await mailer.deliveries() if row["key"].endswith("/1")]
    assert [(row["phase"], row["reason"]) for row in planned] == [("skipped", reason)] * 4


async def test_rt47_a_visit_without_permission_is_mailed_to_nobody(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route(**ALL)
    await mailer.take(mailer.event("received", golden_lead(channel="visit", consent={"basis": "none"})))
    await mailer.work()

    assert smtp.messages() == []
    assert [(row["phase"], row["reason"]) for row in await mailer.deliveries()] == [("skipped", "consent")]


@pytest.mark.parametrize(
    ("was", "now", "mailed"),
    [
        pytest.param(
            {"copies": ["wrong@x.example"]}, {"copies": ["right@x.example"]}, {"right"}, id="RT48-a-copys"
        ),
        pytest.param(
            {"more_addresses": ["wrong@x.example"]},
            {"more_addresses": ["right@x.example", "third@x.example"]},
            {"right", "third"},
            id="RT48-one-of-more",
        ),
        pytest.param({"notify": ["wrong@x.example"]}, {"notify": []}, set(), id="RT48-and-none-instead"),
        pytest.param(
            {"copies": ["wrong@x.example"]},
            {"notify": ["wrong@x.example"]},
            {"wrong"},
            id="RT48-another-role",
        ),
    ],
)
async def test_a_corrected_address_gets_what_the_wrong_one_refused(
    mailer: Any,
    smtp: SmtpServer,
    golden_lead: Leads,
    was: dict[str, Any],
    now: dict[str, Any],
    mailed: set[str],
) -> None:
    await mailer.route(address="crm@x.example", **was)
    smtp.control(rcpt={"wrong@x.example": "550 5.1.1 no such mailbox"})
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    smtp.control()
    await mailer.route(address="crm@x.example", **now)
    (failed,) = [row for row in await mailer.deliveries() if row["phase"] == "failed"]
    await mailer.http.post(f"/v1/deliveries/{failed['id']}/redrive", headers=mailer.token("operator"))
    await mailer.work()

    assert set(by_recipient(smtp)) == {"crm"} | mailed
    (old,) = [row for row in await mailer.deliveries() if row["id"] == failed["id"]]
    assert (old["phase"], old["reason"]) == ("skipped", "address_changed")


@pytest.mark.parametrize("role", ["copy", "people"])
async def test_rt49_a_repeat_is_for_whom_the_first_was(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, role: str
) -> None:
    await mailer.route(**ALL)
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.work()
    (row,) = await mailer.rows("SELECT delivery_id FROM mail WHERE recipient LIKE $1", f"{role}@%")
    path = f"/v1/deliveries/{row['delivery_id']}/redrive"
    for _ in range(2):
        await mailer.http.post(path, headers=mailer.token("operator"))
        await mailer.work()
        await mailer.route(**(ALL | {"copies": [], "notify": []}))

    first, again = [mail for mail in smtp.messages() if mail.rcpt_to == [f"{role}@x.example"]]
    assert again.message["References"] == first.message_id
    assert again.message["X-Leadbus-Copy"] == first.message["X-Leadbus-Copy"]
    (old,) = [one for one in await mailer.deliveries() if one["id"] == row["delivery_id"]]
    assert (old["phase"], old["reason"], old["repeat_number"]) == ("skipped", "address_changed", 2)


async def test_what_was_planned_and_set_before_there_were_roles(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    """Its order is by address from now on, and a route without lists is one with empty ones."""
    (path,) = files("adf_mailer.migrations").joinpath("versions").glob("*_recipients.py")  # type: ignore[attr-defined]
    order = str(runpy.run_path(str(path))["ORDER"])
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    (planned,) = await mailer.deliveries()
    async with mailer.database.acquire() as conn:
        await conn.execute("UPDATE delivery SET ordering_key = subject_id || '/' || route")
        for name in ("intents", "vehicle", "more_addresses", "copies", "notify"):
            await conn.execute("UPDATE setting SET spec = spec - $1::text", name)
        await conn.execute(order)
    assert [row["ordering_key"] for row in await mailer.deliveries()] == [planned["ordering_key"]]
    await mailer.take(mailer.event("updated", golden_lead(revision=2, vehicles=VEHICLES)))
    await mailer.work()
    assert [mail.message["X-Leadbus-Revision"] for mail in smtp.messages()] == ["1", "2"]


async def test_a_skip_that_is_redriven_reaches_every_address(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route(**ALL)
    await mailer.take(mailer.event("received", golden_lead(lead_id=str(uuid4()), test=True)))
    (skipped,) = await mailer.deliveries()
    await mailer.route(**ALL, send_test_leads=True)
    await mailer.http.post(f"/v1/deliveries/{skipped['id']}/redrive", headers=mailer.token("operator"))
    await mailer.work()

    assert set(by_recipient(smtp)) == {"crm", "second", "copy", "people"}
    assert b"TEST LEAD" in body(by_recipient(smtp)["people"])
