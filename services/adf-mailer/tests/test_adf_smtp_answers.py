"""S1–S47, S56, S63–S83: what each answer of an SMTP server becomes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from adf_mailer.delivery.replies import Reply, Step, answered, refusal
from leadbus.delivery import Ambiguous, Delivered, Outcome, Permanent, Suspended, Transient
from leadbus_devstack.smtp.scripted import DROP, HANG, ScriptedServer

Scripted = Any
Send = Any


def down(reason: str, answer: str = "") -> Transient:
    return Transient(reason, answer=answer, destination_down=True)


ROWS = [
    pytest.param({}, Delivered("250 2.0.0 queued as 1"), id="S1-accepted"),
    pytest.param({"dot": "252 perhaps"}, Delivered("252 perhaps"), id="S2-any-2xx-after-the-dot"),
    pytest.param({"connect": "421 too busy"}, down("service_unavailable", "421 too busy"), id="S3-greeting"),
    pytest.param({"connect": "554 not you"}, down("host_refused", "554 not you"), id="S4-greeting-554"),
    pytest.param({"connect": DROP}, down("connect_failed"), id="S5-dropped-before-greeting"),
    pytest.param({"connect": HANG}, down("connect_timeout"), id="S6-no-greeting"),
    pytest.param({"ehlo": "421 bye"}, down("service_unavailable", "421 bye"), id="S7-ehlo"),
    pytest.param({"ehlo": "550 go away"}, down("host_refused", "550 go away"), id="S8-ehlo-refused"),
    pytest.param({"mail": "421 4.7.0 slow"}, down("service_unavailable", "421 4.7.0 slow"), id="S9-mail"),
    pytest.param(
        {"mail": "530 5.7.0 auth first"}, Suspended("auth_required", "530 5.7.0 auth first"), id="S10-530"
    ),
    pytest.param({"mail": "550 5.1.8 no"}, Permanent("sender_refused", "550 5.1.8 no"), id="S11-sender"),
    pytest.param({"mail": "552 5.3.4 big"}, Permanent("too_large", "552 5.3.4 big"), id="S12-size"),
    pytest.param({"mail": "501 syntax"}, Permanent("protocol", "501 syntax"), id="S13-our-bug"),
    pytest.param({"mail": "555 what"}, Permanent("protocol", "555 what"), id="S14-parameter"),
    pytest.param({"mail": HANG}, down("timeout"), id="S15-mail-timeout"),
    pytest.param({"mail": DROP}, down("connection_lost"), id="S16-mail-dropped"),
    pytest.param(
        {"rcpt": "450 4.2.1 busy"},
        Transient("mailbox_busy", answer="450 4.2.1 busy", pace="deferred"),
        id="S17-450",
    ),
    pytest.param(
        {"rcpt": "451 4.3.0 later"},
        Transient("deferred", answer="451 4.3.0 later", pace="deferred"),
        id="S18-451",
    ),
    pytest.param(
        {"rcpt": "451 4.7.1 greylisted"},
        Transient("greylisted", answer="451 4.7.1 greylisted", pace="deferred"),
        id="S19-grey",
    ),
    pytest.param(
        {"rcpt": "452 4.2.2 full"}, Transient("mailbox_full", answer="452 4.2.2 full", pace="full"), id="S20"
    ),
    pytest.param(
        {"rcpt": "452 4.5.3 many"},
        Transient("too_many_recipients", answer="452 4.5.3 many", pace="full"),
        id="S21",
    ),
    pytest.param({"rcpt": "452 disk"}, Transient("storage_full", answer="452 disk", pace="full"), id="S22"),
    pytest.param(
        {"rcpt": "454 4.7.0 not now"}, down("tls_or_auth_unavailable", "454 4.7.0 not now"), id="S23-454"
    ),
    pytest.param(
        {"rcpt": "471 odd"}, Transient("deferred", answer="471 odd", pace="other"), id="S24-other-4xx"
    ),
    pytest.param({"rcpt": "535 5.7.8 who"}, Suspended("auth_refused", "535 5.7.8 who"), id="S25-535"),
    pytest.param({"rcpt": "550 5.1.1 no"}, Permanent("bad_address", "550 5.1.1 no"), id="S26-550-5.1.1"),
    pytest.param({"rcpt": "550 no such"}, Permanent("bad_address", "550 no such"), id="S27-550-bare"),
    pytest.param({"rcpt": "551 moved"}, Permanent("bad_address", "551 moved"), id="S28-551"),
    pytest.param({"rcpt": "553 5.1.3 bad"}, Permanent("bad_address", "553 5.1.3 bad"), id="S29-553"),
    pytest.param({"rcpt": "556 5.1.10 null MX"}, Permanent("bad_address", "556 5.1.10 null MX"), id="S30"),
    pytest.param({"rcpt": "550 5.7.1 spf"}, Permanent("policy", "550 5.7.1 spf"), id="S31-policy"),
    pytest.param(
        {"rcpt": "552 5.2.2 full"},
        Transient("mailbox_full", answer="552 5.2.2 full", pace="full"),
        id="S32-full-5xx",
    ),
    pytest.param({"rcpt": "503 sequence"}, Permanent("protocol", "503 sequence"), id="S33-sequence"),
    pytest.param(
        {"data": "451 4.3.2 hold"},
        Transient("deferred", answer="451 4.3.2 hold", pace="deferred"),
        id="S34-data",
    ),
    pytest.param({"data": "554 5.5.1 none"}, Permanent("content_refused", "554 5.5.1 none"), id="S35-data"),
    pytest.param({"data": DROP}, down("connection_lost"), id="S36-dropped-at-data"),
    pytest.param({"dot": "421 4.3.2 stopping"}, down("service_unavailable", "421 4.3.2 stopping"), id="S37"),
    pytest.param(
        {"dot": "452 4.3.1 disk"}, Transient("storage_full", answer="452 4.3.1 disk", pace="full"), id="S38"
    ),
    pytest.param({"dot": "554 5.6.0 mime"}, Permanent("content_refused", "554 5.6.0 mime"), id="S39"),
    pytest.param({"dot": "554 spam"}, Permanent("content_refused", "554 spam"), id="S40"),
    pytest.param({"dot": "554 5.7.1 spam"}, Permanent("policy", "554 5.7.1 spam"), id="S41"),
    pytest.param({"dot": "552 5.3.4 big"}, Permanent("too_large", "552 5.3.4 big"), id="S42"),
    pytest.param({"dot": DROP}, Ambiguous("connection_lost"), id="S43-dropped-after-the-dot"),
    pytest.param({"dot": HANG}, Ambiguous("timeout"), id="S44-silence-after-the-dot"),
    pytest.param({"dot": "hello?"}, Ambiguous("unreadable_answer", "-1"), id="S45-nonsense-after-the-dot"),
    pytest.param({"rcpt": "hello?"}, Transient("unreadable_answer"), id="S46-nonsense-before"),
]


@pytest.mark.parametrize(("script", "outcome"), ROWS)
async def test_reply(scripted: Scripted, send: Send, script: dict[str, Any], outcome: Outcome) -> None:
    server = await scripted(**script)
    got = await send(server)

    assert type(got) is type(outcome)
    assert got == outcome or got.reason == outcome.reason == "unreadable_answer"  # type: ignore[union-attr]


async def test_s47_nobody_listens(send: Send) -> None:
    listener = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    server = ScriptedServer(port=listener.sockets[0].getsockname()[1])
    listener.close()
    await listener.wait_closed()

    assert await send(server) == down("connect_failed")


async def test_s56_everything_before_the_dot_is_bounded_as_a_whole(scripted: Scripted, send: Send) -> None:
    server = await scripted(rcpt=HANG)

    assert await send(server, step_timeout_seconds=20.0, before_dot_timeout_seconds=0.3) == down("timeout")


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        ("250 2.0.0 ok", ("2xx", "2.0")),
        ("550 5.1.1 no", ("5xx", "5.1")),
        ("451 later", ("4xx", "none")),
        ("", ("lost", "none")),
        ("-1 hello?", ("lost", "none")),
    ],
)
def test_s63_answers_are_counted_by_class(answer: str, counted: tuple[str, str]) -> None:
    assert answered(answer) == counted


def said(line: str) -> Reply:
    code, _, text = line.partition(" ")
    return Reply(int(code), text)


def with_answer(outcome: Transient | Suspended | Permanent, answer: str) -> Outcome:
    return replace(outcome, answer=answer)


@pytest.mark.parametrize(
    ("step", "reply", "outcome"),
    [
        pytest.param(Step.AUTH, "432 4.7.12 change it", Suspended("password_transition"), id="S64-432"),
        pytest.param(Step.AUTH, "525 5.7.13 closed", Suspended("account_disabled"), id="S65-525"),
        pytest.param(Step.AUTH, "534 5.7.9 app password", Suspended("auth_refused"), id="S66-534"),
        pytest.param(Step.AUTH, "538 5.7.11 encrypt", Suspended("auth_refused"), id="S67-538"),
        pytest.param(Step.AUTH, "535 5.7.139 basic auth is off", Suspended("auth_refused"), id="S68-535"),
        pytest.param(Step.AUTH, "535 no enhanced code", Suspended("auth_refused"), id="S69-535-bare"),
        pytest.param(Step.AUTH, "504 5.5.4 mechanism", Suspended("auth_refused"), id="S70-any-5xx-to-auth"),
        pytest.param(Step.AUTH, "535 4.7.0 directory away", down("auth_unavailable"), id="S71-for-now"),
        pytest.param(Step.AUTH, "454 4.7.0 directory away", down("tls_or_auth_unavailable"), id="S72-454"),
        pytest.param(Step.MAIL, "530 5.7.0 STARTTLS first", Suspended("auth_required"), id="S73-530"),
        pytest.param(Step.MAIL, "550 5.7.60 not yours", Permanent("policy"), id="S74-sender-of-a-route"),
        pytest.param(Step.RCPT, "550 5.4.5 daily limit", down("quota_exceeded"), id="S75-quota"),
        pytest.param(Step.CONNECT, "554 5.7.1 listed", down("host_refused"), id="S76-may-pass"),
    ],
)
def test_what_needs_a_person(step: Step, reply: str, outcome: Transient | Suspended | Permanent) -> None:
    assert refusal(step, said(reply)) == with_answer(outcome, reply)


@pytest.mark.parametrize(
    ("step", "reply", "outcome"),
    [
        pytest.param(Step.MAIL, "550 5.1.8 bad outbound sender", Suspended("sender_refused"), id="S77"),
        pytest.param(Step.MAIL, "553 5.7.1 not owned", Suspended("sender_refused"), id="S78"),
        pytest.param(Step.MAIL, "550 no", Suspended("sender_refused"), id="S79-bare"),
        pytest.param(Step.MAIL, "552 5.3.4 big", Permanent("too_large"), id="S80-of-this-mail"),
        pytest.param(Step.MAIL, "501 syntax", Permanent("protocol"), id="S81-of-this-mail"),
        pytest.param(Step.RCPT, "550 5.7.1 spf", Permanent("policy"), id="S82-of-this-recipient"),
    ],
)
def test_our_own_sender_refused_is_no_mails_fault(
    step: Step, reply: str, outcome: Suspended | Permanent
) -> None:
    assert refusal(step, said(reply), own_sender=True) == with_answer(outcome, reply)


async def test_s83_the_sender_is_compared_with_our_own(scripted: Scripted, send: Send) -> None:
    script = {"mail": "550 5.7.60 not yours"}
    ours = await send(await scripted(**script), sender="leads@leadbus.example")
    of_a_route = await send(await scripted(**script), sender="other@leadbus.example")

    assert ours == Suspended("sender_refused", script["mail"])
    assert of_a_route == Permanent("policy", script["mail"])
