"""BN93–BN96: reports are asked for where the host gives them; a return path refused is about us."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from adf_mailer.delivery.connection import Envelope
from adf_mailer.domain.return_path import ReturnPath
from leadbus.delivery import Delivered, Permanent, Suspended

Scripted = Any
Connect = Any
PATH = ReturnPath("bounces@mail.leadbus.example", (b"k" * 32,))
MESSAGE = UUID("340b55c1-0559-5b0b-b869-c4a33f2e5715")
MAIL = Envelope(PATH.sender(MESSAGE), "lea+ds=x@prairie.example", b"Subject: x\r\n\r\nhello\r\n")


async def commands(scripted: Scripted, connect: Connect, mail: Envelope = MAIL, **given: Any) -> list[str]:
    extensions = given.pop("extensions", ("SIZE 1000000", "DSN"))
    server = await scripted(extensions=extensions)
    pool = connect(server, **{"return_path": PATH.address} | given)
    assert await pool.send(mail) == Delivered("250 2.0.0 queued as 1")
    await pool.close()
    return [one for one in server.commands if one.startswith(("MAIL", "RCPT"))]


async def test_bn93_reports_are_asked_for_by_envelope_id(scripted: Scripted, connect: Connect) -> None:
    assert await commands(scripted, connect) == [
        f"MAIL FROM:<{MAIL.sender}> SIZE=21 RET=HDRS ENVID={PATH.token(MESSAGE)}",
        "RCPT TO:<lea+ds=x@prairie.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;lea+2Bds+3Dx@prairie.example",
    ]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"extensions": ("SIZE 1000000",)}, id="BN94 not offered"),
        pytest.param({"return_path": None}, id="BN94 no return path"),
        pytest.param(
            {"mail": Envelope("leads@leadbus.example", MAIL.recipient, MAIL.raw)}, id="BN94 another sender"
        ),
    ],
)
async def test_bn94_else_nothing_is_asked_for(
    scripted: Scripted, connect: Connect, given: dict[str, Any]
) -> None:
    said = await commands(scripted, connect, **given)
    assert [one for one in said if "ENVID" in one or "NOTIFY" in one] == []


async def test_bn95_a_return_path_that_is_refused_is_no_mails_fault(
    scripted: Scripted, connect: Connect
) -> None:
    script = {"mail": "550 5.1.8 sender domain unknown"}
    ours = connect(await scripted(**script), return_path=PATH.address)
    assert await ours.send(MAIL) == Suspended("sender_refused", script["mail"])
    other = connect(await scripted(**script), return_path="bounces@other.example")
    assert await other.send(MAIL) == Permanent("sender_refused", script["mail"])


async def test_bn96_every_mail_of_a_kept_connection_has_its_own(scripted: Scripted, connect: Connect) -> None:
    other = UUID("b116e554-b08d-52df-9052-00c744404d47")
    server = await scripted(extensions=("DSN",))
    pool = connect(server, return_path=PATH.address)
    for message in (MESSAGE, other):
        await pool.send(Envelope(PATH.sender(message), MAIL.recipient, MAIL.raw))
    await pool.close()
    assert server.connections == 1
    asked = [one.rpartition("=")[2] for one in server.commands if one.startswith("MAIL")]
    assert asked == [PATH.token(MESSAGE), PATH.token(other)]
