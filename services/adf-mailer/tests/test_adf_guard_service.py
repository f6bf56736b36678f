"""SG300–SG306, TC20, TC42 from the event to the mail: on a real database and a real SMTP server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from adf_mailer.settings import AdfMailerSettings
from leadbus import metrics
from leadbus.contracts import Lead
from leadbus_devstack.smtp import SmtpServer, StoredMail
from lxml import etree
from pydantic import SecretStr, ValidationError

Leads = Callable[..., Lead]

CARD = "4242 4242 4242 4242"


def words(mail: StoredMail) -> str:
    return str(
        etree.fromstring(mail.content.partition(b"\r\n\r\n")[2]).findtext("prospect/customer/comments")
    )


def counted(kind: str, action: str) -> float:
    labels = {"kind": kind, "action": action}
    return float(metrics.REGISTRY.get_sample_value("leadbus_adf_sensitive_total", labels) or 0)


async def redrive(mailer: Any, delivery: dict[str, Any]) -> None:
    path = f"/v1/deliveries/{delivery['id']}/redrive"
    assert (await mailer.http.post(path, headers=mailer.token("operator"))).status_code == 202
    await mailer.work()


async def test_sg300_a_card_number_never_goes_by_mail(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    before = counted("card", "masked"), counted("ssn", "masked")
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead(message=f"Take {CARD}, I trust you")))
    await mailer.work()

    (mail,) = smtp.messages()
    assert "Take [card number ending 4242 removed], I trust you" in words(mail)
    assert CARD.encode() not in mail.content
    (delivery,) = await mailer.deliveries()
    shown = await mailer.http.get(f"/v1/deliveries/{delivery['id']}", headers=mailer.token("viewer"))
    assert "sensitive_masked:message" in shown.text
    assert CARD not in shown.text
    assert (counted("card", "masked"), counted("ssn", "masked")) == (before[0] + 1, before[1])


async def test_sg301_held_until_an_operator_sends_it_masked(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    held, masked = counted("card", "held"), counted("card", "masked")
    await mailer.route(sensitive="hold")
    await mailer.take(mailer.event("received", golden_lead(message=CARD)))
    await mailer.take(mailer.event("received", golden_lead(message=CARD)))
    await mailer.work()

    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["reason"], delivery["route"]) == ("skipped", "sensitive", "main")
    (event,) = await mailer.events()
    assert (event["type"], event["outcome"]) == ("delivery.skipped.v1", "sensitive")
    assert await mailer.rows("SELECT * FROM mail") == []
    assert (counted("card", "held"), counted("card", "masked")) == (held + 1, masked)

    # SG302
    await redrive(mailer, delivery)
    (mail,) = smtp.messages()
    assert "[card number ending 4242 removed]" in words(mail)
    assert CARD.encode() not in mail.content
    assert counted("card", "masked") == masked + 1


async def test_sg301_a_lead_beside_it_goes_out(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    await mailer.route(sensitive="hold")
    await mailer.route("second", address="second@prairie.example", intents=["test_drive"])
    held, other = {"intents": ["callback"]}, {"intents": ["test_drive"]}
    await mailer.take(
        mailer.event("received", golden_lead(message=CARD, **held)),
        mailer.event("received", golden_lead("click_for_call_back", **held)),
        mailer.event("received", golden_lead("text_to_chat", message=CARD, **other)),
    )
    await mailer.work()

    assert sorted(mail.rcpt_to[0] for mail in smtp.messages()) == [
        "leads@prairie.dealercrm.example",
        "second@prairie.example",
    ]
    assert all(CARD.encode() not in mail.content for mail in smtp.messages())


async def test_sg303_redriving_its_no_route_leaves_something_to_redrive(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.take(mailer.event("received", golden_lead(message=CARD)))
    await mailer.route(sensitive="hold")
    (skipped,) = await mailer.deliveries()
    await redrive(mailer, skipped)

    assert smtp.messages() == []
    assert [(row["route"], row["phase"], row["reason"]) for row in await mailer.deliveries()] == [
        ("", "skipped", "planned_anew"),
        ("main", "skipped", "sensitive"),
    ]
    await redrive(mailer, (await mailer.deliveries())[1])
    (mail,) = smtp.messages()
    assert CARD.encode() not in mail.content


async def test_sg304_consent_stands_above_a_redrive(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route(sensitive="hold")
    await mailer.take(mailer.event("received", golden_lead(message=CARD)))
    withdrawn = golden_lead(revision=2, message=CARD, consent={"basis": "withdrawn"})
    await mailer.take(mailer.event("consent_changed", withdrawn))
    for delivery in await mailer.deliveries():
        await redrive(mailer, delivery)

    assert smtp.messages() == []
    assert [row["reason"] for row in await mailer.deliveries()] == ["consent", "consent"]


async def test_sg305_sent_as_given(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    before = counted("card", "masked")
    await mailer.route(sensitive="send")
    await mailer.take(mailer.event("received", golden_lead(message=CARD)))
    await mailer.work()

    (mail,) = smtp.messages()
    assert CARD in words(mail)
    assert counted("card", "masked") == before


async def test_sg306_an_update_without_it_goes_out(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    await mailer.route(sensitive="hold")
    await mailer.take(mailer.event("received", golden_lead(message=CARD)))
    await mailer.take(mailer.event("updated", golden_lead(revision=2, message="never mind")))
    await mailer.work()

    (mail,) = smtp.messages()
    assert etree.fromstring(mail.content.partition(b"\r\n\r\n")[2])[0].get("status") == "new"
    assert [row["reason"] for row in await mailer.deliveries()] == ["sensitive", None]


async def test_sg301_tests_are_not_counted(mailer: Any, golden_lead: Leads) -> None:
    before = counted("card", "held"), counted("card", "masked")
    await mailer.route(send_test_leads=True)
    await mailer.route(
        "held",
        address="second@prairie.example",
        send_test_leads=True,
        sensitive="hold",
        intents=["test_drive"],
    )
    lead = golden_lead(message=CARD, test=True, intents=["test_drive", "callback"])
    await mailer.take(mailer.event("received", lead))
    await mailer.work()

    assert {row["reason"] for row in await mailer.deliveries()} == {"sensitive", None}
    assert (counted("card", "held"), counted("card", "masked")) == before


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [
        pytest.param({"document_bytes": 100}, "/document_bytes", id="TC20"),
        pytest.param({"sensitive": "drop"}, "/sensitive", id="sensitive"),
        pytest.param({"sensitive_kinds": ["name"]}, "/sensitive_kinds/0", id="kinds"),
    ],
)
async def test_what_a_route_may_not_say_is_refused(mailer: Any, spec: dict[str, Any], pointer: str) -> None:
    answer = await mailer.route(**spec)

    assert answer.status_code == 422
    assert pointer in {error["pointer"].removeprefix("/spec") for error in answer.json()["errors"]}
    assert await mailer.rows("SELECT * FROM setting") == []


def test_tc42_a_link_for_everybody_to_read_keeps_the_service_from_starting() -> None:
    def settings(link: str) -> AdfMailerSettings:
        return AdfMailerSettings(
            amqp_url=SecretStr("amqp://localhost"),
            database_url=SecretStr("postgresql://localhost/x"),
            token_key=SecretStr("k" * 32),
            smtp_host="smtp.leadbus.example",
            from_address="leads@leadbus.example",
            lead_link=link,
        )

    assert settings("https://x.example/{lead_id}").letterhead.lead_link == "https://x.example/{lead_id}"
    with pytest.raises(ValidationError, match="only https"):
        settings("http://x.example/{lead_id}")


def chat(lines: int) -> list[dict[str, str]]:
    return [{"speaker": "customer", "text": f"line {number} " + "words " * 20} for number in range(lines)]


async def test_tc32_a_mail_refused_as_too_large_goes_out_shorter(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    smtp.control(data="552 5.3.4 message too big", times=2)
    await mailer.take(mailer.event("received", golden_lead(transcript=chat(400))))
    await mailer.work()

    (mail,) = smtp.messages()
    rows = await mailer.rows("SELECT status, size_bytes, warnings FROM mail ORDER BY size_bytes DESC")
    whole, half, quarter = (row["size_bytes"] for row in rows)
    assert (half <= whole // 2, quarter <= half // 2, quarter) == (True, True, len(mail.content))
    assert {row["status"] for row in rows} == {"new"}
    assert "lines are left out here; lead" in words(mail)
    deliveries = await mailer.deliveries()
    assert [(row["phase"], row["reason"]) for row in deliveries] == [
        ("skipped", "too_large_shortened"),
        ("skipped", "too_large_shortened"),
        ("delivered", None),
    ]
    assert [row["key"].partition("/short")[1:] for row in deliveries] == [
        ("", ""),
        ("/short", ""),
        ("/short", "/short"),
    ]


async def test_tc33_what_cannot_be_shorter_failed(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    await mailer.route()
    smtp.control(data="552 5.3.4 message too big")
    await mailer.take(mailer.event("received", golden_lead(transcript=chat(100))))
    await mailer.work()

    assert smtp.messages() == []
    assert [(row["phase"], row["reason"]) for row in await mailer.deliveries()] == [
        ("skipped", "too_large_shortened"),
        ("failed", "too_large"),
    ]


async def test_tc34_redriving_the_first_makes_no_second_short_one(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    smtp.control(data="552 5.3.4 message too big", times=1)
    await mailer.take(mailer.event("received", golden_lead(transcript=chat(400))))
    await mailer.work()
    smtp.control(data="552 5.3.4 message too big", times=1)
    await redrive(mailer, (await mailer.deliveries())[0])

    assert len(smtp.messages()) == 1
    assert [(row["phase"], row["reason"]) for row in await mailer.deliveries()] == [
        ("skipped", "too_large_shortened"),
        ("delivered", None),
    ]
