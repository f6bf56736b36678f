"""BN100–BN129: from a bounce brought by SMTP to what becomes of its delivery, on a real database."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable
from email.message import Message
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from adf_mailer.bounces.settling import Reopening
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.return_path import ReturnPath, message_uuid
from adf_mailer.retention import rules
from adf_mailer.settings import AdfMailerSettings
from leadbus import checkpoint, metrics
from leadbus.contracts import Lead
from leadbus.contracts.events import LeadErased
from leadbus.mailin.listener import Listener, Rules
from leadbus.retention import Pace, Retention
from leadbus_devstack.smtp import SmtpServer

Leads = Callable[..., Lead]
PATH = ReturnPath("bounces@mail.leadbus.example", (b"a-bounce-key-of-tests-of-32-bytes-or-more",))
SAMPLES = Path(__file__).parent / "bounces"
SAMPLE_MESSAGE = UUID("340b55c1-0559-5b0b-b869-c4a33f2e5715")
RULES = Rules("mx.leadbus.example", 400_000, 1_000_000, 20, 20, 20)


@pytest.fixture
def letterhead() -> Letterhead:
    return Letterhead("leads@leadbus.example", return_path=PATH)


@pytest.fixture(params=["smtp", "lmtp"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def listener(mailer: Any) -> AsyncIterator[Listener]:
    made = Listener(mailer.room, RULES, host="127.0.0.1", ports={"smtp": 0, "lmtp": 0})
    await made.open()
    yield made
    made.close()


def sample(name: str, message: UUID) -> bytes:
    """A sample as if it were about that mail."""
    raw = (SAMPLES / f"{name}.eml").read_bytes()
    raw = raw.replace(PATH.token(SAMPLE_MESSAGE).upper().encode(), PATH.token(message).upper().encode())
    raw = raw.replace(PATH.token(SAMPLE_MESSAGE).encode(), PATH.token(message).encode())
    return raw.replace(str(SAMPLE_MESSAGE).encode(), str(message).encode())


class Postbox:
    """A mail server that brings bounces to the listener."""

    def __init__(self, mailer: Any, smtp: SmtpServer, listener: Listener) -> None:
        self.mailer, self.smtp, self.listener = mailer, smtp, listener

    async def sent(self, lead: Lead, **route: Any) -> UUID:
        """A lead that was mailed; the UUID of its mail."""
        await self.mailer.route(**route)
        await self.mailer.take(self.mailer.event("received", lead))
        await self.mailer.work()
        return self.last()

    def last(self) -> UUID:
        found = message_uuid(self.smtp.messages()[-1].message_id)
        assert found is not None
        return found

    async def bring(
        self, raw: bytes, to: str, *, sender: str = "", protocol: str = "smtp"
    ) -> tuple[int, bytes]:
        """The reply to the recipient if that is none, else that to the mail."""

        def talk() -> tuple[int, bytes]:
            kind = smtplib.SMTP if protocol == "smtp" else smtplib.LMTP
            with kind("127.0.0.1", self.listener.port(protocol), "mx.relay.example") as client:
                client.ehlo_or_helo_if_needed()
                client.mail(sender)
                code, said = client.rcpt(to)
                if code == 250:
                    code, said = client.data(raw)
                return code, said

        return await asyncio.to_thread(talk)

    async def come_back(self, name: str, message: UUID, **how: Any) -> tuple[int, bytes]:
        return await self.bring(sample(name, message), PATH.sender(message), **how)

    async def bounces(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self.mailer.rows("SELECT * FROM bounce ORDER BY id")
        return rows


@pytest.fixture
def postbox(mailer: Any, smtp: SmtpServer, listener: Listener) -> Postbox:
    return Postbox(mailer, smtp, listener)


def counted(kind: str, verdict: str) -> float:
    labels = {"kind": kind, "class": verdict}
    return float(metrics.REGISTRY.get_sample_value("leadbus_adf_bounces_total", labels) or 0)


async def test_bn100_each_mail_has_a_return_path_of_its_own(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, postbox: Postbox
) -> None:
    message = await postbox.sent(golden_lead())
    (mail,) = smtp.messages()
    assert mail.mail_from == PATH.sender(message)
    parsed: Message = mail.message
    assert "leads@leadbus.example" in parsed["From"]
    (stored,) = await mailer.rows("SELECT sender FROM mail")
    assert stored["sender"] == PATH.sender(message)


async def test_bn101_a_bounce_fails_its_delivery_and_is_told(
    mailer: Any, golden_lead: Leads, postbox: Postbox, protocol: str
) -> None:
    before = counted("delivery_status", "permanent")
    message = await postbox.sent(golden_lead())
    assert await postbox.come_back("postfix_unknown_user", message, protocol=protocol) == (
        250,
        b"2.0.0 Stored",
    )
    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["outcome"], delivery["reason"]) == (
        "failed",
        "bounced",
        "bad_address",
    )
    assert [(event["type"], event["outcome"]) for event in await mailer.events()] == [
        ("delivery.succeeded.v1", "delivered"),
        ("delivery.failed.v1", "bounced"),
    ]
    (row,) = await postbox.bounces()
    assert (row["became"], row["matched_by"], row["recipient_role"]) == (
        "failed",
        "envelope_id",
        "addressee",
    )
    assert (row["action"], row["status"], row["reporting_mta"]) == ("failed", "5.1.1", "mx.relay.example")
    assert row["raw"] == sample("postfix_unknown_user", message)
    assert row["dealer"] == "prairie-motors"
    assert counted("delivery_status", "permanent") == before + 1


async def test_bn102_it_is_seen_in_the_story_of_the_delivery(
    mailer: Any, golden_lead: Leads, postbox: Postbox
) -> None:
    message = await postbox.sent(golden_lead())
    await postbox.come_back("qmail", message)
    (delivery,) = await mailer.deliveries()
    story = await mailer.http.get(f"/v1/deliveries/{delivery['id']}", headers=mailer.token("viewer"))
    told = story.json()
    assert (told["phase"], told["outcome"], told["reason"]) == ("failed", "bounced", "bad_address")
    (bounce,) = told["details"]["bounces"]
    assert (bounce["kind"], bounce["became"], bounce["status"]) == ("free_text", "failed", "5.1.1")
    assert "no mailbox here" in bounce["diagnostic"]


async def test_bn103_the_same_report_twice_is_one(mailer: Any, golden_lead: Leads, postbox: Postbox) -> None:
    message = await postbox.sent(golden_lead())
    raw = sample("postfix_unknown_user", message)
    await postbox.bring(raw, PATH.sender(message))
    by_another_way = b"Received: from a by b;\r\n\tTue, 14 Apr 2026 17:00:00 +0000\r\n" + raw
    assert (await postbox.bring(by_another_way, PATH.sender(message)))[0] == 250
    assert len(await postbox.bounces()) == 1
    assert len(await mailer.events()) == 2


async def test_bn104_another_report_of_the_same_changes_nothing(
    mailer: Any, golden_lead: Leads, postbox: Postbox
) -> None:
    message = await postbox.sent(golden_lead())
    await postbox.come_back("postfix_unknown_user", message)
    await postbox.come_back("exim_report", message)
    assert [row["became"] for row in await postbox.bounces()] == ["failed", "unchanged"]
    assert len(await mailer.events()) == 2


async def test_bn105_what_passes_is_repeated_and_says_so(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, postbox: Postbox
) -> None:
    message = await postbox.sent(golden_lead())
    await postbox.come_back("gmail_report", message)
    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["repeat_number"], delivery["reason"]) == (
        "waiting",
        1,
        "mailbox_full",
    )
    await mailer.later(901)
    first, second = smtp.messages()
    assert b'<prospect status="resend">' in second.content
    assert second.message["References"] == first.message_id
    assert postbox.last() != message
    assert [event["type"] for event in await mailer.events()] == [
        "delivery.succeeded.v1",
        "delivery.failed.v1",
        "delivery.recovered.v1",
    ]
    # The report about the first one comes once more, from another server: it is of no matter now.
    await postbox.come_back("postfix_unknown_user", message)
    assert [row["became"] for row in await postbox.bounces()] == ["repeated", "outdated"]
    (delivery,) = await mailer.deliveries()
    assert delivery["phase"] == "delivered"


async def test_bn106_not_for_ever(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, postbox: Postbox
) -> None:
    message = await postbox.sent(golden_lead())
    for _ in range(3):
        await postbox.come_back("gmail_report", message)
        await mailer.later(901)
        message = postbox.last()
    assert [row["became"] for row in await postbox.bounces()] == ["repeated", "repeated", "failed"]
    assert len(smtp.messages()) == 3
    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["outcome"]) == ("failed", "bounced")


class TestNothingIsReopened:
    @pytest.fixture
    def reopening(self) -> Reopening:
        return Reopening("none")

    async def test_bn107_where_the_policy_says_so(
        self, mailer: Any, golden_lead: Leads, postbox: Postbox
    ) -> None:
        message = await postbox.sent(golden_lead())
        await postbox.come_back("gmail_report", message)
        (delivery,) = await mailer.deliveries()
        assert (delivery["phase"], delivery["reason"]) == ("failed", "mailbox_full")


async def test_bn108_an_operator_redrives_it_as_a_repeat(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, postbox: Postbox
) -> None:
    message = await postbox.sent(golden_lead())
    await postbox.come_back("postfix_unknown_user", message)
    (delivery,) = await mailer.deliveries()
    asked = await mailer.http.post(
        f"/v1/deliveries/{delivery['id']}/redrive", headers=mailer.token("operator")
    )
    assert asked.status_code == 202
    await mailer.work()
    assert b'<prospect status="resend">' in smtp.messages()[-1].content
    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["repeat_number"]) == ("delivered", 1)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        pytest.param("postfix_delayed", "delayed", id="BN109"),
        pytest.param("postfix_delivered", "confirmed", id="BN110"),
        pytest.param("complaint", "complaint", id="BN111"),
        pytest.param("letter", "none", id="BN112"),
    ],
)
async def test_what_is_only_noted(
    mailer: Any, golden_lead: Leads, postbox: Postbox, name: str, verdict: str
) -> None:
    message = await postbox.sent(golden_lead())
    assert (await postbox.come_back(name, message))[0] == 250
    (row,) = await postbox.bounces()
    assert (row["became"], row["verdict"], row["repeat_number"]) == ("noted", verdict, 0)
    (delivery,) = await mailer.deliveries()
    assert delivery["phase"] == "delivered"
    assert len(await mailer.events()) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [pytest.param("out_of_office", "auto_reply", id="BN113"), pytest.param("our_own", "loop", id="BN114")],
)
async def test_what_is_ignored_is_counted(golden_lead: Leads, postbox: Postbox, name: str, kind: str) -> None:
    message = await postbox.sent(golden_lead())
    before = counted(kind, "none")
    assert (await postbox.come_back(name, message))[0] == 250
    assert await postbox.bounces() == []
    assert counted(kind, "none") == before + 1


async def test_bn115_a_bounce_of_a_bounce_of_ours_is_a_loop(golden_lead: Leads, postbox: Postbox) -> None:
    message = await postbox.sent(golden_lead())
    before = counted("loop", "none")
    await postbox.come_back("postfix_unknown_user", message, sender=PATH.sender(message))
    circles = b"".join(b"Received: from a by b; x\r\n" for _ in range(51))
    await postbox.bring(circles + sample("qmail", message), PATH.sender(message))
    assert await postbox.bounces() == []
    assert counted("loop", "none") == before + 2


async def test_bn116_of_no_known_mail_it_is_kept_and_listed(mailer: Any, postbox: Postbox) -> None:
    before = counted("delivery_status", "unmatched")
    message = uuid4()
    assert (await postbox.come_back("exchange_report", message))[0] == 250
    (row,) = await postbox.bounces()
    assert (row["became"], row["delivery_id"], row["verdict"]) == ("unmatched", None, "permanent")
    assert counted("delivery_status", "unmatched") == before + 1
    listed = await mailer.http.get("/v1/bounces?unmatched=true", headers=mailer.token("viewer"))
    assert [one["id"] for one in listed.json()["items"]] == [row["id"]]
    none = await mailer.http.get("/v1/bounces?unmatched=false", headers=mailer.token("viewer"))
    assert none.json()["items"] == []


async def test_bn117_by_message_id_where_the_address_is_named(
    mailer: Any, golden_lead: Leads, postbox: Postbox
) -> None:
    """It came to the return path of a mail that nobody knows any more."""
    message = await postbox.sent(golden_lead())
    stray = PATH.sender(uuid4())
    await postbox.bring(sample("exim_report", message), stray)
    (row,) = await postbox.bounces()
    assert (row["matched_by"], row["became"]) == ("message_id", "failed")
    (delivery,) = await mailer.deliveries()
    assert delivery["phase"] == "failed"


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("bounces@mail.leadbus.example", id="BN118 no token"),
        pytest.param("bounces+aaaa@mail.leadbus.example", id="BN118 no token of ours"),
        pytest.param(PATH.sender(SAMPLE_MESSAGE).replace("mail.", "other."), id="BN118 another domain"),
        pytest.param("leads@leadbus.example", id="BN118 anybody"),
    ],
)
async def test_nobody_else_is_a_recipient(postbox: Postbox, address: str, protocol: str) -> None:
    raw = sample("qmail", SAMPLE_MESSAGE)
    code, said = await postbox.bring(raw, address, protocol=protocol)
    assert (code, said) == (550, b"5.1.1 No such recipient here")
    assert await postbox.bounces() == []


async def test_bn119_250_is_said_after_the_commit(
    mailer: Any, golden_lead: Leads, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be stored is answered 451; the other server brings it again, and it is new."""
    message = await postbox.sent(golden_lead())

    def dies(point: str) -> None:
        if point == "bounce.stored":
            raise ConnectionError

    monkeypatch.setattr(checkpoint, "_observer", dies)
    code, _ = await postbox.come_back("qmail", message)
    assert code == 451
    assert await postbox.bounces() == []
    (delivery,) = await mailer.deliveries()
    assert delivery["phase"] == "delivered"
    monkeypatch.setattr(checkpoint, "_observer", None)
    assert (await postbox.come_back("qmail", message))[0] == 250
    assert [row["became"] for row in await postbox.bounces()] == ["failed"]


async def test_bn120_faster_than_the_record_that_it_was_taken(
    mailer: Any, golden_lead: Leads, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    hosts, bounced = mailer.hosts, list[Any]()
    really = hosts.send

    async def send(envelope: Any, before_data: Any) -> Any:
        outcome = await really(envelope, before_data)
        bounced.append(await postbox.come_back("postfix_unknown_user", postbox.last()))
        return outcome

    monkeypatch.setattr(hosts, "send", send)
    async with asyncio.timeout(20):
        await mailer.engine.step()
        while not bounced:  # noqa: ASYNC110 -- the engine's task brings it
            await asyncio.sleep(0.01)
        assert bounced[0][0] == 250
        (row,) = await postbox.bounces()
        assert row["became"] == "sending"
        await mailer.work()
    assert [one["phase"] for one in await mailer.deliveries()] == ["delivered"]
    while await mailer.settling.settle_waiting():
        pass
    (row,) = await postbox.bounces()
    assert row["became"] == "failed"
    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["outcome"]) == ("failed", "bounced")
    assert [event["type"] for event in await mailer.events()] == [
        "delivery.succeeded.v1",
        "delivery.failed.v1",
    ]


async def test_bn121_an_address_that_was_rewritten_on_the_way(golden_lead: Leads, postbox: Postbox) -> None:
    message = await postbox.sent(golden_lead())
    rewritten = f"prvs=0123456789={PATH.sender(message).upper()}"
    code, _ = await postbox.bring(sample("qmail", message), rewritten)
    assert code == 250
    assert [row["became"] for row in await postbox.bounces()] == ["failed"]


async def test_bn122_bounces_of_tests_are_counted_nowhere(
    mailer: Any, golden_lead: Leads, postbox: Postbox
) -> None:
    before = counted("free_text", "permanent")
    message = await postbox.sent(golden_lead(test=True), send_test_leads=True)
    await postbox.come_back("qmail", message)
    (row,) = await postbox.bounces()
    assert (row["test"], row["became"]) == (True, "failed")
    assert counted("free_text", "permanent") == before


async def test_bn123_what_was_brought_is_shown_and_that_is_on_record(
    mailer: Any, golden_lead: Leads, postbox: Postbox
) -> None:
    message = await postbox.sent(golden_lead())
    await postbox.come_back("qmail", message)
    (row,) = await postbox.bounces()
    path = f"/v1/bounces/{row['id']}"
    one = (await mailer.http.get(path, headers=mailer.token("viewer"))).json()
    assert (one["kind"], one["delivery_id"]) == ("free_text", str(row["delivery_id"]))
    assert (await mailer.http.get(f"{path}/raw", headers=mailer.token("viewer"))).status_code == 403
    raw = await mailer.http.get(f"{path}/raw", headers=mailer.token("operator"))
    assert (raw.status_code, raw.headers["content-type"]) == (200, "message/rfc822")
    assert raw.content == sample("qmail", message)
    (act,) = await mailer.rows("SELECT * FROM audit WHERE action = 'bounce.shown'")
    assert act["object"] == f"bounce/{row['id']}"
    assert (
        await mailer.http.get("/v1/bounces/77777/raw", headers=mailer.token("operator"))
    ).status_code == 404


async def test_bn124_limited_tokens_see_theirs(mailer: Any, golden_lead: Leads, postbox: Postbox) -> None:
    message = await postbox.sent(golden_lead())
    await postbox.come_back("qmail", message)
    await postbox.come_back("exchange_report", uuid4())
    ours, stray = await postbox.bounces()
    for dealers, seen in ((["prairie-motors"], [ours["id"]]), (["lakeside"], [])):
        headers = mailer.token("operator", dealers)
        listed = (await mailer.http.get("/v1/bounces", headers=headers)).json()["items"]
        assert [one["id"] for one in listed] == seen
        for row in (ours, stray):
            for path in (f"/v1/bounces/{row['id']}", f"/v1/bounces/{row['id']}/raw"):
                expected = 200 if row["id"] in seen else 404
                assert (await mailer.http.get(path, headers=headers)).status_code == expected


async def test_bn125_erasing_a_lead_forgets_what_came_back(
    mailer: Any, golden_lead: Leads, postbox: Postbox
) -> None:
    message = await postbox.sent(golden_lead())
    await postbox.come_back("postfix_delayed", message)
    event = LeadErased.model_validate(
        {"lead_ids": [golden_lead().lead_id], "erased_at": "2026-04-15T16:00:00Z"}
    )
    await mailer.take(mailer.message("lead.erased.v1", event.to_json()))
    # And what comes back later is not kept in the first place.
    await postbox.come_back("postfix_unknown_user", message)
    early, late = await postbox.bounces()
    assert [(row["raw"], row["diagnostic"]) for row in (early, late)] == [(None, None)] * 2
    assert late["became"] == "failed"
    gone = await mailer.http.get(f"/v1/bounces/{late['id']}/raw", headers=mailer.token("operator"))
    assert (gone.status_code, gone.json()["type"].rpartition("/")[2]) == (410, "bounce-gone")


async def test_bn126_bytes_go_by_age_rows_with_their_lead_strays_altogether(
    mailer: Any, golden_lead: Leads, postbox: Postbox
) -> None:
    documented = AdfMailerSettings.for_documents()
    retention = Retention(
        mailer.database, rules(documented), clock=mailer.clock, pace=Pace(pause_seconds=0, batch_size=3)
    )
    message = await postbox.sent(golden_lead(received_at=mailer.clock.now()))
    await postbox.come_back("qmail", message)
    await postbox.come_back("exchange_report", uuid4())
    mailer.clock.advance(89 * 86_400)
    await retention.prune()
    assert [row["raw"] is None for row in await postbox.bounces()] == [False, False]
    mailer.clock.advance(2 * 86_400)
    removed = await retention.prune()
    assert (removed["bounce_bytes"], removed["bounce"]) == (1, 1)
    (row,) = await postbox.bounces()
    assert (row["raw"], row["became"]) == (None, "failed")
    mailer.clock.advance(300 * 86_400)
    await retention.prune()
    assert await postbox.bounces() == []


async def test_bn127_mails_are_found_by_index(mailer: Any, golden_lead: Leads, postbox: Postbox) -> None:
    await postbox.sent(golden_lead())
    async with mailer.database.transaction() as conn:
        await conn.execute("SET LOCAL enable_seqscan = off")
        plan = await conn.fetch(
            "EXPLAIN SELECT * FROM mail WHERE message_id ~>=~ $1 AND message_id ~<~ $2", "<a@", "<aA"
        )
        equal = await conn.fetch("EXPLAIN SELECT * FROM mail WHERE message_id = $1", "<a@b>")
    assert "mail_by_message_id" in str(plan)
    assert "mail_by_message_id" in str(equal)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"return_path": "bounces@mail.leadbus.example"}, "RETURN_PATH needs BOUNCE_KEY"),
        ({"return_path": "b@mail.x.example", "bounce_key": "short"}, "BOUNCE_KEY has less than 32 bytes"),
        ({"return_path": "b+x@mail.x.example", "bounce_key": "k" * 32}, "RETURN_PATH: before the @"),
        ({"bounce_smtp_port": 2526}, "need RETURN_PATH"),
        ({"bounce_tls_required": True}, "BOUNCE_TLS_REQUIRED needs"),
        ({"bounce_held_bytes": 2048}, "BOUNCE_HELD_BYTES must hold"),
    ],
)
def test_bn128_settings_that_do_not_fit(given: dict[str, Any], said: str) -> None:
    documented = AdfMailerSettings.for_documents().model_dump(exclude_unset=True)
    with pytest.raises(ValueError, match=said):
        AdfMailerSettings.model_validate(documented | given)


def test_bn129_without_the_setting_all_is_as_it_was() -> None:
    plain = AdfMailerSettings.for_documents()
    assert plain.letterhead == Letterhead(plain.from_address)
    assert plain.smart_hosts[0].return_path is None
    assert set(plain.bounce_door.ports.values()) == {None}


async def addresses_of(mailer: Any) -> list[dict[str, Any]]:
    await mailer.addresses.refresh()
    answer = await mailer.http.get("/v1/addresses", headers=mailer.token("viewer"))
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_ba16_a_bounce_speaks_against_the_address_and_a_relays_250_not_for_it(
    mailer: Any, golden_lead: Leads, postbox: Postbox
) -> None:
    for number in range(1, 4):
        message = await postbox.sent(golden_lead(lead_id=str(uuid4())))
        await postbox.come_back("postfix_unknown_user", message)
        await postbox.come_back("postfix_unknown_user", message)
        (one,) = await addresses_of(mailer)
        assert (one["refusals"], one["bounced"], one["suspended"]) == (number, True, number == 3)
    await mailer.take(mailer.event("received", golden_lead(lead_id=str(uuid4()))))
    await mailer.work()
    waiting = (await mailer.deliveries())[-1]
    assert (waiting["phase"], waiting["reason"]) == ("queued", "address_suspended")

    mailer.clock.advance(25 * 3600)
    assert await addresses_of(mailer) == [], "nothing came back for a day"
    await mailer.work()
    assert (await mailer.deliveries())[-1]["phase"] == "delivered"


async def test_ba17_what_came_back_goes_to_the_alternate_address(
    mailer: Any, golden_lead: Leads, smtp: SmtpServer, postbox: Postbox
) -> None:
    message = await postbox.sent(golden_lead(), alternate_address="backup@prairie.example")
    await postbox.come_back("postfix_unknown_user", message)
    await mailer.work()
    assert [mail.rcpt_to for mail in smtp.messages()][-1] == ["backup@prairie.example"]
    refused, other = await mailer.deliveries()
    assert (refused["phase"], refused["outcome"], other["phase"]) == ("failed", "bounced", "delivered")


async def test_ba18_another_bounce_says_nothing_of_the_address(
    mailer: Any, golden_lead: Leads, postbox: Postbox
) -> None:
    message = await postbox.sent(golden_lead(), alternate_address="backup@prairie.example")
    await postbox.come_back("postfix_expired", message)
    assert await addresses_of(mailer) == []
    assert len(await mailer.deliveries()) == 1


def refused_with(status: str, message: UUID) -> bytes:
    """A report of Postfix that the mail was refused with this status."""
    return sample("postfix_unknown_user", message).replace(b"5.1.1", status.encode())


async def test_ba23_mails_that_come_back_for_who_we_are_count_and_go_nowhere_else(
    mailer: Any, golden_lead: Leads, postbox: Postbox
) -> None:
    for _ in range(3):
        lead = golden_lead(lead_id=str(uuid4()))
        message = await postbox.sent(lead, alternate_address="backup@prairie.example")
        await postbox.bring(refused_with("5.7.1", message), PATH.sender(message))
    (one,) = await addresses_of(mailer)
    assert (one["reason"], one["refusals"], one["bounced"], one["suspended"]) == ("policy", 3, True, True)
    assert len(await mailer.deliveries()) == 3
    await mailer.take(mailer.event("received", golden_lead(lead_id=str(uuid4()))))
    await mailer.work()
    waiting = (await mailer.deliveries())[-1]
    assert (waiting["phase"], waiting["reason"]) == ("queued", "address_suspended")


class TestWhatPassesSaysNothingOfTheAddress:
    @pytest.fixture
    def reopening(self) -> Reopening:
        return Reopening("none")

    async def test_ba24_a_policy_that_may_pass(
        self, mailer: Any, golden_lead: Leads, postbox: Postbox
    ) -> None:
        message = await postbox.sent(golden_lead())
        await postbox.bring(refused_with("4.7.1", message), PATH.sender(message))
        (delivery,) = await mailer.deliveries()
        assert (delivery["phase"], delivery["reason"]) == ("failed", "policy")
        assert await addresses_of(mailer) == []


async def test_ba31_the_bounce_that_suspends_an_address_tells_its_people(
    mailer: Any, golden_lead: Leads, smtp: SmtpServer, postbox: Postbox
) -> None:
    for _ in range(3):
        await postbox.sent(golden_lead(lead_id=str(uuid4())), notify=["boss@prairie.example"])
        sent = [mail for mail in smtp.messages() if mail.rcpt_to == ["leads@prairie.dealercrm.example"]]
        message = message_uuid(sent[-1].message_id)
        assert message is not None
        await postbox.come_back("postfix_unknown_user", message)
    await mailer.work()
    (warning,) = await mailer.rows(
        "SELECT mail.recipient, delivery.phase FROM mail JOIN delivery ON delivery.id = mail.delivery_id "
        "WHERE mail.role = 'warning'"
    )
    assert dict(warning) == {"recipient": "boss@prairie.example", "phase": "delivered"}
