"""RC: what each answer of an SMTP server makes of a delivery, as a pure rule and over the wire."""

from __future__ import annotations

from typing import Any

import pytest
from adf_mailer.delivery.replies import Paces, Reply, Step, Verdict, accepted, refusal
from adf_mailer.settings import AdfMailerSettings
from leadbus.delivery import Ambiguous, Delivered, Outcome, Permanent, Schedule, Suspended, Transient
from leadbus.delivery.machine import Answered, Claimed, Decision, State, decide
from pydantic import SecretStr

from tests.support.smtp_replies import LOST, REPLIES, TAKEN, Row

Scripted = Any
Send = Any
SENDER = "leads@leadbus.example"


def ids(rows: list[Row]) -> list[Any]:
    return [pytest.param(row, id=row.id) for row in rows]


@pytest.fixture
def schedule() -> Schedule:
    """The service's default, without jitter."""
    settings = AdfMailerSettings(
        amqp_url=SecretStr("amqp://localhost"),
        database_url=SecretStr("postgresql://localhost/none"),
        token_key=SecretStr("-" * 32),
        smtp_host="smtp.example",
        from_address=SENDER,
    )
    return settings.schedule.model_copy(update={"jitter_ratio": 0.0})


def tried(outcome: Outcome, schedule: Schedule, times: int) -> Decision:
    decision = Decision(State())
    for _ in range(times):
        decision = decide(decision.state, Claimed(), schedule)
        decision = decide(decision.state, Answered(outcome), schedule)
    return decision


def check(row: Row, outcome: Outcome, schedule: Schedule) -> None:
    first = tried(outcome, schedule, 1)
    assert (first.outcome, first.reason, first.signal) == (row.outcome, row.reason, row.blamed)
    assert (first.wait_seconds is None) == (not row.waits)
    for times, wait in enumerate(row.waits, start=1):
        assert tried(outcome, schedule, times).wait_seconds == wait


@pytest.mark.parametrize("row", ids([TAKEN, *REPLIES]))
def test_rule(row: Row, schedule: Schedule) -> None:
    code, _, text = str(row.said).partition(" ")
    reply = Reply(int(code), text)
    outcome = accepted(reply) if row is TAKEN else refusal(row.step, reply)
    check(row, outcome, schedule)
    assert outcome.answer == row.said


@pytest.mark.parametrize("row", ids([TAKEN, *REPLIES, *LOST]))
async def test_on_the_wire(row: Row, schedule: Schedule, scripted: Scripted, send: Send) -> None:
    settings: dict[str, Any] = {}
    extensions: tuple[str, ...] = ()
    if row.step is Step.AUTH:
        settings, extensions = {"username": "u", "password": SecretStr("p")}, ("AUTH PLAIN",)
    elif row.step is Step.STARTTLS:
        settings, extensions = {"tls": "required"}, ("STARTTLS",)
    server = await scripted(extensions=extensions, **row.script)

    check(row, await send(server, **settings), schedule)
    # Whatever was said before the text was asked for, nothing of the mail went out, in clear least of all.
    assert bool(server.mails) == (row.step is Step.CONTENT)


@pytest.mark.parametrize("luck", [0.0, 0.3, 0.999999])
@pytest.mark.parametrize("failures", [1, 2, 3, 40])
def test_rc3z_deferred_is_never_asked_within_three_minutes(
    schedule: Schedule, luck: float, failures: int
) -> None:
    jittered = schedule.model_copy(update={"jitter_ratio": 0.2})
    wait = jittered.wait_seconds(failures, luck=luck, pace=Paces.DEFERRED)
    assert wait is not None
    assert wait >= 180


@pytest.mark.parametrize("pace", [None, *Paces])
def test_rc12_every_pace_ends_after_72_hours(schedule: Schedule, pace: str | None) -> None:
    waits: list[float] = []
    while (wait := schedule.wait_seconds(len(waits) + 1, luck=0.5, pace=pace)) is not None:
        waits.append(wait)
    assert 71 * 3600 < sum(waits) <= 72 * 3600
    assert set(waits[4:]) <= {1800.0, 3600.0}


def test_rc13_every_pace_has_waits_of_its_own(schedule: Schedule) -> None:
    assert set(schedule.paces) == set(Paces)


@pytest.mark.parametrize(
    ("step", "outcome", "slows"),
    [
        pytest.param(Step.RCPT, Transient("x", answer="421 4.7.0 slow"), True, id="RC14a-421"),
        pytest.param(Step.RCPT, Transient("x", answer="421 bye"), True, id="RC14b-421-bare"),
        pytest.param(Step.CONTENT, Transient("x", answer="450 4.7.28 rate"), True, id="RC14c-4.7.x"),
        pytest.param(Step.RCPT, Transient("x", answer="451 4.7.1 grey"), True, id="RC14d-greylist"),
        pytest.param(Step.MAIL, Transient("x", answer="421 4.7.0 slow"), False, id="RC14e-nobody-was-named"),
        pytest.param(Step.CONNECT, Transient("x", answer="421 busy"), False, id="RC14f-the-host's-own"),
        pytest.param(Step.RCPT, Transient("x", answer="450 4.2.1 busy"), False, id="RC14g-another-subject"),
        pytest.param(Step.RCPT, Transient("timeout"), False, id="RC14h-no-answer"),
        pytest.param(Step.RCPT, Permanent("policy", "550 5.7.1 no"), False, id="RC14i-refused"),
        pytest.param(Step.CONTENT, Delivered("250 ok"), False, id="RC14j-taken"),
    ],
)
def test_which_answers_ask_a_domain_to_be_sent_less(step: Step, outcome: Outcome, slows: bool) -> None:
    assert Verdict(outcome, step).domain_wants_less is slows


@pytest.mark.parametrize(
    ("step", "outcome", "slows"),
    [
        pytest.param(Step.CONNECT, Transient("x", answer="421 busy"), True, id="RC16a-421-greeting"),
        pytest.param(Step.EHLO, Transient("x", answer="421 4.3.2 busy"), True, id="RC16b-421-ehlo"),
        pytest.param(Step.CONNECT, Transient("x", answer="450 4.7.0 rate"), True, id="RC16c-4.7.x-greeting"),
        pytest.param(Step.AUTH, Transient("x", answer="454 4.7.0 too many logins"), True, id="RC16d-auth"),
        pytest.param(Step.MAIL, Transient("x", answer="451 4.7.1 rate"), True, id="RC16e-4.7.x-mail"),
        pytest.param(Step.RCPT, Transient("x", answer="421 4.7.0 slow"), False, id="RC16f-the-domain's-own"),
        pytest.param(Step.STARTTLS, Transient("x", answer="454 4.7.0 no TLS"), False, id="RC16g-about-tls"),
        pytest.param(Step.MAIL, Transient("x", answer="452 4.3.1 disk"), False, id="RC16h-another-subject"),
        pytest.param(Step.CONNECT, Transient("connect_failed"), False, id="RC16i-no-answer"),
        pytest.param(Step.AUTH, Suspended("auth_refused", "535 5.7.8 no"), False, id="RC16j-refused"),
    ],
)
def test_which_answers_ask_a_host_to_be_sent_less(step: Step, outcome: Outcome, slows: bool) -> None:
    assert Verdict(outcome, step).host_wants_less is slows


@pytest.mark.parametrize(
    ("step", "outcome", "elsewhere"),
    [
        pytest.param(Step.CONNECT, Transient("connect_failed", destination_down=True), True, id="RC15a"),
        pytest.param(Step.AUTH, Suspended("auth_refused"), True, id="RC15b"),
        pytest.param(Step.RCPT, Transient("service_unavailable", destination_down=True), True, id="RC15c"),
        pytest.param(Step.DATA, Transient("connection_lost", destination_down=True), True, id="RC15d"),
        pytest.param(Step.RCPT, Transient("greylisted"), False, id="RC15e-about-the-recipient"),
        pytest.param(Step.RCPT, Permanent("bad_address"), False, id="RC15f-about-the-recipient"),
        pytest.param(
            Step.CONTENT, Transient("service_unavailable", destination_down=True), False, id="RC15g-text"
        ),
        pytest.param(Step.CONTENT, Ambiguous("timeout"), False, id="RC15h-in-doubt"),
    ],
)
def test_which_answers_send_a_mail_to_another_host(step: Step, outcome: Outcome, elsewhere: bool) -> None:
    assert Verdict(outcome, step).may_go_elsewhere is elsewhere
