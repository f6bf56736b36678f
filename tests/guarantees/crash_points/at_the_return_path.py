"""A report on its way into adf-mailer, which dies between taking it and saying so."""

from __future__ import annotations

import asyncio
import smtplib

from tests.guarantees.crash_points.circumstances import Circumstance
from tests.guarantees.crash_points.scene import PATIENCE_SECONDS, Scene
from tests.guarantees.system import eventually


async def _a_lead_was_mailed(scene: Scene) -> None:
    await scene.send(by_http=0, by_queue=1)
    await eventually("the lead delivered", scene.settled, within_seconds=PATIENCE_SECONDS)


def _return_path(scene: Scene) -> str:
    (_, message_id), *_ = scene.mails()[scene.leads[0]]
    return next(mail.mail_from for mail in scene.stack.smtp.messages() if mail.message_id == message_id)


def _report(scene: Scene) -> bytes:
    """Of a delay, so that the lead stays delivered; the same each time."""
    return (
        f"Message-ID: <{scene.run}@mx.relay.example>\r\nSubject: Delayed Mail\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.relay.example\r\n\r\n"
        "Final-Recipient: rfc822; leads@x.example\r\nAction: delayed\r\nStatus: 4.4.1\r\n\r\n--b--\r\n"
    ).encode()


def _bring(scene: Scene) -> object:
    """Send the report as its server does; True when it was taken."""
    port = scene.stack.bounce_port
    assert port is not None
    try:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="mx.relay.example", timeout=30) as client:
            client.sendmail("<>", [_return_path(scene)], _report(scene))
    except (OSError, smtplib.SMTPException) as error:
        return f"{type(error).__name__}: {error}"
    return True


async def _a_report_comes(scene: Scene) -> None:
    """Nobody answers its server: adf-mailer dies meanwhile."""
    told = await asyncio.to_thread(_bring, scene)
    assert told is not True, "taken and answered by a process that was to die before"


async def _the_report_comes_again(scene: Scene) -> None:
    await eventually("the report taken", lambda: _bring(scene), within_seconds=PATIENCE_SECONDS)


async def _is_noted_once(scene: Scene) -> None:
    sql = (
        "SELECT bounce.became FROM bounce JOIN mail USING (delivery_id, repeat_number) WHERE mail.sender = $1"
    )
    noted = await scene.sql("adf-mailer", sql, _return_path(scene))
    assert [row["became"] for row in noted] == ["noted"]


NOT_ANSWERED = Circumstance(
    "a report comes, and again when its server is not answered",
    _a_report_comes,
    prepare=_a_lead_was_mailed,
    mend=_the_report_comes_again,
    check=_is_noted_once,
)
