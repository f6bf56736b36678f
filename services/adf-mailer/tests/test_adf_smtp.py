"""S1–S49: what each answer of an SMTP server becomes. A scripted server says exactly what a row needs."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from adf_mailer.delivery.connection import Envelope, SmartHost
from adf_mailer.delivery.pool import ConnectionPool
from adf_mailer.delivery.replies import Reply, Step, answered, refusal
from leadbus.delivery import Ambiguous, Delivered, Outcome, Permanent, Suspended, Transient
from leadbus.delivery.job import LeaseLost
from pydantic import SecretStr

MAIL = Envelope("leads@leadbus.example", "leads@prairie.example", b"Subject: x\r\n\r\n.\r\n..a\r\nb\r\n")
DROP = object()
HANG = object()


@dataclass
class ScriptedServer:
    """Answers every command with 250, except where `script` has something for it.

    Keys: `connect`, verbs in lower case, `dot`; `text` acts once the first line of the text came.
    Values: a reply, DROP or HANG, or a list of them that is used up one by one (then 250).
    """

    script: dict[str, Any] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    port: int = 0
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if await self._answer(writer, "connect", "220 scripted ESMTP"):
                while line := await reader.readline():
                    if not await self._command(line.decode().strip(), reader, writer):
                        break
        writer.close()

    async def _command(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        verb = line.split(" ")[0].lower()
        self.commands.append(line)
        if verb == "ehlo":
            extensions = [f"250-{one}" for one in self.extensions]
            return await self._answer(writer, "ehlo", "\r\n".join(["250-scripted", *extensions, "250 HELP"]))
        if verb == "starttls":
            if await self._answer(writer, "starttls", "220 go ahead") and self.tls:
                await writer.start_tls(self.tls)
            return True
        if verb != "data":
            return await self._answer(writer, verb, "221 bye" if verb == "quit" else "250 2.0.0 ok")
        if not await self._answer(writer, "data", "354 go ahead"):
            return False
        if "data" in self.script and not self.commands[-1].startswith("354"):
            return True
        return await self._text(reader, writer)

    async def _text(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        lines: list[bytes] = []
        while (line := await reader.readline()) != b".\r\n":
            if not line or ("text" in self.script and not await self._answer(writer, "text", "")):
                return False
            lines.append(line)
        self.mails.append(b"".join(lines))
        return await self._answer(writer, "dot", "250 2.0.0 queued as 1")

    async def _answer(self, writer: asyncio.StreamWriter, step: str, otherwise: str) -> bool:
        scripted = self.script.get(step, otherwise)
        if isinstance(scripted, list):
            scripted = scripted.pop(0) if scripted else otherwise
        if scripted is HANG:
            await asyncio.sleep(30)
        if scripted in (DROP, HANG):
            writer.transport.abort()
            return False
        writer.write(str(scripted).encode() + b"\r\n")
        await writer.drain()
        return True


Start = Callable[..., Awaitable[ScriptedServer]]


@pytest.fixture
async def scripted() -> AsyncIterator[Start]:
    """`server = await scripted(rcpt="550 no")`, listening on a port of its own."""
    listeners: list[asyncio.Server] = []

    async def start(
        *, extensions: tuple[str, ...] = (), tls: ssl.SSLContext | None = None, **script: Any
    ) -> ScriptedServer:
        server = ScriptedServer(script, extensions, tls=tls)
        listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        server.port = listener.sockets[0].getsockname()[1]
        listeners.append(listener)
        return server

    yield start
    for listener in listeners:
        listener.close()


def host(server: ScriptedServer, **changes: Any) -> SmartHost:
    defaults: dict[str, Any] = {
        "ehlo_name": "leadbus.example",
        "tls": "off",
        "step_timeout_seconds": 0.3,
        "before_dot_timeout_seconds": 2.0,
        "answer_timeout_seconds": 0.5,
    }
    return SmartHost("127.0.0.1", server.port, **(defaults | changes))


async def nothing() -> None:
    return


async def send(server: ScriptedServer, **changes: Any) -> Outcome:
    pool = ConnectionPool(host(server, **changes), size=2)
    try:
        return await pool.send(MAIL, nothing)
    finally:
        await pool.close()


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
        {"rcpt": "450 4.2.1 busy"}, Transient("mailbox_busy", answer="450 4.2.1 busy"), id="S17-450"
    ),
    pytest.param({"rcpt": "451 4.3.0 later"}, Transient("deferred", answer="451 4.3.0 later"), id="S18-451"),
    pytest.param(
        {"rcpt": "451 4.7.1 greylisted"},
        Transient("greylisted", answer="451 4.7.1 greylisted"),
        id="S19-grey",
    ),
    pytest.param({"rcpt": "452 4.2.2 full"}, Transient("mailbox_full", answer="452 4.2.2 full"), id="S20"),
    pytest.param(
        {"rcpt": "452 4.5.3 many"}, Transient("too_many_recipients", answer="452 4.5.3 many"), id="S21"
    ),
    pytest.param({"rcpt": "452 disk"}, Transient("storage_full", answer="452 disk"), id="S22"),
    pytest.param(
        {"rcpt": "454 4.7.0 not now"}, down("tls_or_auth_unavailable", "454 4.7.0 not now"), id="S23-454"
    ),
    pytest.param({"rcpt": "471 odd"}, Transient("deferred", answer="471 odd"), id="S24-other-4xx"),
    pytest.param({"rcpt": "535 5.7.8 who"}, Suspended("auth_refused", "535 5.7.8 who"), id="S25-535"),
    pytest.param({"rcpt": "550 5.1.1 no"}, Permanent("bad_address", "550 5.1.1 no"), id="S26-550-5.1.1"),
    pytest.param({"rcpt": "550 no such"}, Permanent("bad_address", "550 no such"), id="S27-550-bare"),
    pytest.param({"rcpt": "551 moved"}, Permanent("bad_address", "551 moved"), id="S28-551"),
    pytest.param({"rcpt": "553 5.1.3 bad"}, Permanent("bad_address", "553 5.1.3 bad"), id="S29-553"),
    pytest.param({"rcpt": "556 5.1.10 null MX"}, Permanent("bad_address", "556 5.1.10 null MX"), id="S30"),
    pytest.param({"rcpt": "550 5.7.1 spf"}, Permanent("policy", "550 5.7.1 spf"), id="S31-policy"),
    pytest.param(
        {"rcpt": "552 5.2.2 full"}, Transient("mailbox_full", answer="552 5.2.2 full"), id="S32-full-5xx"
    ),
    pytest.param({"rcpt": "503 sequence"}, Permanent("protocol", "503 sequence"), id="S33-sequence"),
    pytest.param({"data": "451 4.3.2 hold"}, Transient("deferred", answer="451 4.3.2 hold"), id="S34-data"),
    pytest.param({"data": "554 5.5.1 none"}, Permanent("content_refused", "554 5.5.1 none"), id="S35-data"),
    pytest.param({"data": DROP}, down("connection_lost"), id="S36-dropped-at-data"),
    pytest.param({"dot": "421 4.3.2 stopping"}, down("service_unavailable", "421 4.3.2 stopping"), id="S37"),
    pytest.param({"dot": "452 4.3.1 disk"}, Transient("storage_full", answer="452 4.3.1 disk"), id="S38"),
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
async def test_reply(scripted: Start, script: dict[str, Any], outcome: Outcome) -> None:
    server = await scripted(**script)
    got = await send(server)

    assert type(got) is type(outcome)
    assert got == outcome or got.reason == outcome.reason == "unreadable_answer"  # type: ignore[union-attr]


async def test_s47_nobody_listens() -> None:
    listener = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    server = ScriptedServer(port=listener.sockets[0].getsockname()[1])
    listener.close()
    await listener.wait_closed()

    assert await send(server) == down("connect_failed")


async def test_s48_dropped_inside_the_text_is_not_in_doubt(scripted: Start) -> None:
    server = await scripted(text=DROP)
    envelope = Envelope(MAIL.sender, MAIL.recipient, b"x" * 900 + b"\r\n" + (b"y" * 900 + b"\r\n") * 50_000)
    outcome = await ConnectionPool(host(server), size=2).send(envelope, nothing)

    assert outcome == Transient("connection_lost")
    assert server.mails == []


async def test_s49_the_text_arrives_as_it_is(scripted: Start) -> None:
    server = await scripted(extensions=("SIZE 1000",))
    await send(server)

    assert server.mails == [b"Subject: x\r\n\r\n..\r\n...a\r\nb\r\n"]
    assert server.commands[:4] == [
        "EHLO leadbus.example",
        f"MAIL FROM:<leads@leadbus.example> SIZE={len(MAIL.raw)}",
        "RCPT TO:<leads@prairie.example>",
        "DATA",
    ]


async def test_s50_a_connection_is_reused_with_rset_where_a_mail_was_left_unfinished(scripted: Start) -> None:
    server = await scripted(rcpt=["250 ok", "550 5.1.1 no", "250 ok"])
    pool = ConnectionPool(host(server), size=2)
    outcomes = [type(await pool.send(MAIL, nothing)) for _ in range(3)]
    await pool.close()

    assert outcomes == [Delivered, Permanent, Delivered]
    assert server.connections == 1
    assert [command.split(" ")[0] for command in server.commands] == [
        *("EHLO", "MAIL", "RCPT", "DATA"),
        *("MAIL", "RCPT"),
        *("RSET", "MAIL", "RCPT", "DATA", "QUIT"),
    ]


async def test_s51_a_connection_is_closed_after_its_share_of_mails(scripted: Start) -> None:
    server = await scripted()
    pool = ConnectionPool(host(server), size=2, max_transactions=2)
    for _ in range(5):
        await pool.send(MAIL, nothing)
    await pool.close()

    assert server.connections == 3


async def test_s52_an_idle_connection_is_not_trusted_for_ever(scripted: Start) -> None:
    server = await scripted()
    pool = ConnectionPool(host(server), size=2, max_idle_seconds=0.0)
    for _ in range(2):
        await pool.send(MAIL, nothing)
    await pool.close()

    assert server.connections == 2


@pytest.mark.parametrize("end", [DROP, HANG, "421 4.4.2 idle for too long", "hello?"])
async def test_s53_a_kept_connection_that_died_costs_nothing(scripted: Start, end: Any) -> None:
    server = await scripted(mail=["250 ok", end])
    pool = ConnectionPool(host(server), size=2)
    outcomes = [type(await pool.send(MAIL, nothing)) for _ in range(2)]
    await pool.close()

    assert outcomes == [Delivered, Delivered]
    assert server.connections == 2


@pytest.mark.parametrize("end", [DROP, "421 4.4.2 idle for too long", "502 5.5.1 what"])
async def test_s53a_nor_does_one_that_cannot_forget_a_refused_mail(scripted: Start, end: Any) -> None:
    server = await scripted(rcpt=["550 5.1.1 no"], rset=end)
    pool = ConnectionPool(host(server), size=2)
    outcomes = [type(await pool.send(MAIL, nothing)) for _ in range(2)]
    await pool.close()

    assert outcomes == [Permanent, Delivered]
    assert server.connections == 2


async def test_s53b_a_mail_refused_on_a_kept_connection_is_not_sent_again(scripted: Start) -> None:
    server = await scripted(mail=["250 ok", "552 5.3.4 big"])
    pool = ConnectionPool(host(server), size=2)
    outcomes = [type(await pool.send(MAIL, nothing)) for _ in range(2)]
    await pool.close()

    assert outcomes == [Delivered, Permanent]
    assert server.connections == 1


async def test_s53c_a_host_that_went_away_is_down_whatever_was_kept(scripted: Start) -> None:
    server = await scripted(mail=["250 ok", "250 ok", DROP, DROP], connect=["220 a", "220 b", "421 no"])
    pool = ConnectionPool(host(server), size=2)
    await asyncio.gather(*(pool.send(MAIL, nothing) for _ in range(2)))

    assert await pool.send(MAIL, nothing) == down("service_unavailable", "421 no")
    await pool.close()


async def test_s54_a_connection_in_doubt_is_not_used_again(scripted: Start) -> None:
    server = await scripted(dot=["hello?"])
    pool = ConnectionPool(host(server), size=2)
    outcomes = [type(await pool.send(MAIL, nothing)) for _ in range(2)]
    await pool.close()

    assert outcomes == [Ambiguous, Delivered]
    assert server.connections == 2


async def test_s55_a_lost_lease_stops_before_the_mail(scripted: Start) -> None:
    server = await scripted()
    pool = ConnectionPool(host(server), size=2)

    async def lost() -> None:
        raise LeaseLost

    with pytest.raises(LeaseLost):
        await pool.send(MAIL, lost)
    await pool.close()

    assert server.mails == []
    assert "DATA" not in server.commands


async def test_s56_everything_before_the_dot_is_bounded_as_a_whole(scripted: Start) -> None:
    server = await scripted(rcpt=HANG)

    assert await send(server, step_timeout_seconds=20.0, before_dot_timeout_seconds=0.3) == down("timeout")


async def test_s57_credentials_that_are_refused_let_leads_wait(scripted: Start) -> None:
    server = await scripted(extensions=("AUTH PLAIN",), auth="535 5.7.8 wrong")

    outcome = await send(server, username="u", password=SecretStr("p"))
    assert outcome == Suspended("auth_refused", "535 5.7.8 wrong")


async def test_s58_auth_that_is_not_offered(scripted: Start) -> None:
    assert await send(await scripted(), username="u", password=SecretStr("p")) == Suspended(
        "auth_not_offered"
    )


async def test_s59_tls_that_is_required_and_not_offered(scripted: Start) -> None:
    server = await scripted()

    assert await send(server, tls="required") == Suspended("tls_not_offered")
    assert not any(command.startswith("MAIL") for command in server.commands)


async def test_s60_tls_refused_for_now_never_falls_back_to_clear(scripted: Start) -> None:
    server = await scripted(extensions=("STARTTLS",), starttls="454 4.7.0 not now")

    assert await send(server, tls="opportunistic") == down("tls_or_auth_unavailable", "454 4.7.0 not now")
    assert not any(command.startswith("MAIL") for command in server.commands)


async def test_s61_opportunistic_without_an_offer_goes_in_clear(scripted: Start) -> None:
    assert await send(await scripted(), tls="opportunistic") == Delivered("250 2.0.0 queued as 1")


async def test_s62_a_certificate_must_be_proven(scripted: Start, certificate: tuple[Path, Path]) -> None:
    pem, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    server = await scripted(extensions=("STARTTLS",), tls=context)

    # The port is free, the address is not in the system's trust: only our own CA file proves it.
    assert await send(server, tls="required") == Suspended("certificate_untrusted")
    assert server.mails == []
    assert isinstance(await send(server, tls="required", ca_file=str(pem)), Delivered)
    assert isinstance(await send(server, tls="opportunistic"), Delivered)


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
    code, _, text = reply.partition(" ")
    assert refusal(step, Reply(int(code), text)) == with_answer(outcome, reply)


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
    code, _, text = reply.partition(" ")
    got = refusal(step, Reply(int(code), text), own_sender=True)
    assert got == with_answer(outcome, reply)


async def test_s83_the_sender_is_compared_with_our_own(scripted: Start) -> None:
    script = {"mail": "550 5.7.60 not yours"}
    ours = await send(await scripted(**script), sender=MAIL.sender)
    of_a_route = await send(await scripted(**script), sender="other@leadbus.example")

    assert ours == Suspended("sender_refused", script["mail"])
    assert of_a_route == Permanent("policy", script["mail"])


async def test_s84_what_was_logged_in_before_is_not_kept_once_the_account_is_refused(scripted: Start) -> None:
    """Else a probe over it would find everything well."""
    server = await scripted(mail=["250 ok", "250 ok", "535 5.7.8 changed"])
    pool = ConnectionPool(host(server), size=3)
    taken = asyncio.Event()

    async def both_are_open() -> None:
        if server.connections == 2:
            taken.set()
        await taken.wait()

    await asyncio.gather(*(pool.send(MAIL, both_are_open) for _ in range(2)))
    outcomes = [type(await pool.send(MAIL, nothing)) for _ in range(2)]
    await pool.close()

    assert outcomes == [Suspended, Delivered]
    assert server.connections == 3, "neither of the two was used for the next mail"
