"""SD1–SD32: several smart hosts: which one is asked, and what it means if all fail; implicit TLS."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from adf_mailer.delivery import hosts
from adf_mailer.delivery.hosts import worst
from adf_mailer.delivery.replies import Step, Verdict
from adf_mailer.delivery.rest import Rest
from adf_mailer.metrics import FAILOVERS
from leadbus.delivery import Ambiguous, Delivered, Outcome, Permanent, Suspended, Transient
from leadbus_devstack.smtp.scripted import DROP, HANG
from pydantic import SecretStr

Scripted = Any
Connect = Any
Send = Any

DOWN = Transient("connect_failed", destination_down=True)
REFUSED = Suspended("auth_refused", "535 5.7.8 no")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param({"connect": DROP}, id="SD1-no-connection"),
        pytest.param({"connect": HANG}, id="SD2-no-greeting"),
        pytest.param({"connect": "421 4.3.2 busy"}, id="SD3-greeting-421"),
        pytest.param({"connect": "554 not you"}, id="SD4-greeting-refuses"),
        pytest.param({"connect": "521 no mail"}, id="SD5-greeting-521"),
        pytest.param({"ehlo": "550 go away"}, id="SD6-ehlo"),
        pytest.param({"mail": "421 4.7.0 slow"}, id="SD7-mail-421"),
        pytest.param({"mail": "454 4.7.0 not now"}, id="SD8-454"),
        pytest.param({"mail": "530 5.7.0 log in"}, id="SD9-credentials"),
        pytest.param({"rcpt": "421 4.3.2 stopping"}, id="SD10-rcpt-421"),
        pytest.param({"rcpt": DROP}, id="SD11-lost-at-rcpt"),
        pytest.param({"data": "421 4.3.2 stopping"}, id="SD12-data-421"),
        pytest.param({"data": DROP}, id="SD13-lost-at-data"),
    ],
)
async def test_the_next_host_takes_it_in_the_same_try(
    scripted: Scripted, send: Send, script: dict[str, Any]
) -> None:
    first, second = await scripted(**script), await scripted()
    before = metrics_value(FAILOVERS)

    assert isinstance(await send(first, second), Delivered)
    assert (len(first.mails), len(second.mails)) == (0, 1)
    assert metrics_value(FAILOVERS) == before + 1


async def test_sd14_a_host_that_wants_a_login_it_does_not_offer_is_passed_over(
    scripted: Scripted, send: Send
) -> None:
    first, second = await scripted(), await scripted(extensions=("AUTH PLAIN",), auth="235 2.7.0 ok")

    outcome = await send(first, second, username="u", password=SecretStr("p"))
    assert isinstance(outcome, Delivered)


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        pytest.param({"rcpt": "550 5.1.1 no"}, Permanent, id="SD15-bad-address"),
        pytest.param({"rcpt": "451 4.7.1 grey"}, Transient, id="SD16-greylisted"),
        pytest.param({"mail": "552 5.3.4 big"}, Permanent, id="SD17-about-the-mail"),
        pytest.param({"text": DROP}, Transient, id="SD18-lost-in-the-text"),
        pytest.param({"dot": "421 4.3.2 stopping"}, Transient, id="SD19-421-after-the-text"),
        pytest.param({"dot": "554 5.7.1 spam"}, Permanent, id="SD20-refused-after-the-text"),
        pytest.param({"dot": DROP}, Ambiguous, id="SD21-in-doubt"),
    ],
)
async def test_what_another_host_must_not_get(
    scripted: Scripted, connect: Connect, script: dict[str, Any], outcome: type[Outcome]
) -> None:
    first, second = await scripted(**script), await scripted()
    pool = connect(first, second)
    mail = pool.MAIL
    if "text" in script:
        raw = b"x" * 900 + b"\r\n" + (b"y" * 900 + b"\r\n") * 50_000
        mail = type(mail)(mail.sender, mail.recipient, raw)

    assert isinstance(await pool.send(mail), outcome)
    assert second.connections == 0
    await pool.close()


async def test_sd22_a_host_that_failed_is_left_alone_and_asked_again_later(
    scripted: Scripted, connect: Connect
) -> None:
    first, second = await scripted(connect=[DROP, DROP]), await scripted()
    now = [0.0]
    pool = connect(first, second, pool={"now": lambda: now[0]})
    for seconds, asked in ((0, 1), (4.9, 1), (5, 2), (14.9, 2), (15, 3), (15.1, 3)):
        now[0] = float(seconds)
        assert isinstance(await pool.send(), Delivered)
        assert first.connections == asked, f"after {seconds} s"
    assert len(first.mails) == 2, "it is the first one again"
    await pool.close()


async def test_sd23_of_mails_at_once_one_finds_out(scripted: Scripted, connect: Connect) -> None:
    asked = asyncio.Event()

    async def hangs_the_second_time(_: str) -> Any:
        if first.connections == 1:
            return DROP
        asked.set()
        return HANG

    first, second = await scripted(connect=hangs_the_second_time), await scripted()
    now = [0.0]
    pool = connect(first, second, pool={"now": lambda: now[0], "size": 3})
    await pool.send()
    now[0] = 6.0
    finding_out = asyncio.create_task(pool.send())
    await asked.wait()

    assert isinstance(await pool.send(), Delivered)
    assert not finding_out.done()
    assert isinstance(await finding_out, Delivered)
    assert first.connections == 2
    await pool.close()


async def test_sd24_all_are_asked_when_all_rest(scripted: Scripted, connect: Connect) -> None:
    first, second = await scripted(connect=DROP), await scripted(connect=[DROP])
    pool = connect(first, second)

    assert await pool.send() == DOWN
    assert isinstance(await pool.send(), Delivered)
    await pool.close()


async def test_sd25_the_time_before_the_dot_is_shared(scripted: Scripted, connect: Connect) -> None:
    """A host that says nothing leaves the next one its part of the time."""
    first, second = await scripted(connect=HANG), await scripted()
    pool = connect(first, second, step_timeout_seconds=30.0, before_dot_timeout_seconds=1.0)

    assert isinstance(await pool.send(), Delivered)
    await pool.close()


async def test_sd26_and_is_not_exceeded(scripted: Scripted, connect: Connect) -> None:
    servers = [await scripted(rcpt=HANG) for _ in range(3)]
    pool = connect(*servers, step_timeout_seconds=30.0, before_dot_timeout_seconds=0.5)

    assert await pool.send() == Transient("timeout", destination_down=True)
    assert [server.connections for server in servers] == [1, 0, 0]
    await pool.close()


@pytest.mark.parametrize(
    ("failed", "asked_all", "outcome"),
    [
        pytest.param([REFUSED, REFUSED], True, REFUSED, id="SD27a-every-host-refuses-us"),
        pytest.param([REFUSED, DOWN], True, DOWN, id="SD27b-one-may-come-back"),
        pytest.param([DOWN, REFUSED], True, DOWN, id="SD27c-in-any-order"),
        pytest.param(
            [REFUSED],
            False,
            Transient("auth_refused", answer="535 5.7.8 no", destination_down=True),
            id="SD27d-the-other-was-not-asked",
        ),
        pytest.param([DOWN, Transient("x", destination_down=True)], True, DOWN, id="SD27e-the-first-speaks"),
    ],
)
def test_what_it_means_that_all_failed(failed: list[Outcome], asked_all: bool, outcome: Outcome) -> None:
    assert worst([Verdict(one, Step.CONNECT) for one in failed], asked_all=asked_all).outcome == outcome


def rested(*steps: tuple[str, float]) -> Rest:
    rest = Rest()
    for what, now in steps:
        rest = rest.probed(now) if what == "probed" else rest.failed(now, for_long=what == "refused")
    return rest


@pytest.mark.parametrize(
    ("steps", "until"),
    [
        pytest.param([("failed", 0)], 5, id="SD28a-first"),
        pytest.param([("failed", 0), ("failed", 1)], 5, id="SD28b-those-under-way-say-nothing-new"),
        pytest.param([("failed", 0), ("probed", 5), ("failed", 6)], 16, id="SD28c-twice-as-long"),
        pytest.param([("failed", 0), ("probed", 5)], 10, id="SD28d-others-wait-for-the-probe"),
        pytest.param([("refused", 0)], 60, id="SD28e-a-refused-login-rests-longer"),
        pytest.param([("refused", 0), ("probed", 60), ("refused", 61)], 181, id="SD28f-twice-that"),
        pytest.param(
            [step for n in range(9) for step in (("failed", 1000 * n), ("probed", 1000 * n + 900))][:-1],
            8300,
            id="SD28g-five-minutes-at-most",
        ),
        pytest.param(
            [step for n in range(9) for step in (("refused", 1000 * n), ("probed", 1000 * n + 950))][:-1],
            8900,
            id="SD28h-fifteen-at-most",
        ),
        pytest.param([("probed", 7)], 0, id="SD28i-a-host-that-is-well-needs-no-probe"),
    ],
)
def test_how_long_a_host_rests(steps: list[tuple[str, float]], until: float) -> None:
    assert rested(*steps).until == until


async def test_sd29_who_rests_is_told(
    scripted: Scripted, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, bool] = {}

    class Resting:
        """In place of the gauge, whose hosts are those of all tests and more than it names."""

        def labels(self, *, host: str) -> Any:
            return SimpleNamespace(set=lambda resting: told.update({host: resting}))

    monkeypatch.setattr(hosts, "HOST_RESTING", Resting())
    first, second = await scripted(connect=[DROP]), await scripted()
    now = [0.0]
    pool = connect(first, second, pool={"now": lambda: now[0]})
    first_name, second_name = f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}"
    await pool.send()
    assert told == {first_name: True, second_name: False}
    now[0] = 5.0
    await pool.send()
    assert told == {first_name: False, second_name: False}
    await pool.close()


async def test_sd30_implicit_tls_speaks_it_from_the_first_byte(
    scripted: Scripted, send: Send, certificate: tuple[Path, Path]
) -> None:
    pem, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    server = await scripted(extensions=("AUTH PLAIN",), auth="235 2.7.0 ok", tls=context, implicit_tls=True)

    assert await send(server, tls="implicit") == Suspended("certificate_untrusted")
    assert server.mails == []
    login = {"username": "u", "password": SecretStr("p")}
    assert isinstance(await send(server, tls="implicit", ca_file=str(pem), **login), Delivered)
    assert "STARTTLS" not in server.commands
    assert any(command.startswith("AUTH PLAIN") for command in server.commands)


async def test_sd31_implicit_tls_to_a_host_in_clear_is_no_mail_in_clear(
    scripted: Scripted, send: Send
) -> None:
    server = await scripted()

    outcome = await send(server, tls="implicit")
    assert isinstance(outcome, Transient)
    assert (outcome.reason, outcome.destination_down) == ("tls_failed", True)
    assert not any(command.startswith("MAIL") for command in server.commands)


async def test_sd32_implicit_tls_that_is_not_answered(scripted: Scripted, send: Send) -> None:
    server = await scripted(connect=HANG)

    assert await send(server, tls="implicit") == Transient("connect_timeout", destination_down=True)


def metrics_value(counter: Any) -> float:
    return float(counter._series._value.get())
