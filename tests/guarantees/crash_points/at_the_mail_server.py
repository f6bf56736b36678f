"""A mail on its way into ingest, which dies between taking it and saying so."""

from __future__ import annotations

import asyncio
import smtplib

from tests.guarantees.crash_points.circumstances import Circumstance
from tests.guarantees.crash_points.scene import PATIENCE_SECONDS, Scene
from tests.guarantees.system import eventually

_SENDER = "leads@cars.example"


def _address(scene: Scene) -> str:
    return f"mails-{scene.run}@leads.example"


def _name(scene: Scene) -> str:
    return f"mails-{scene.run}"


async def _recipient(scene: Scene) -> None:
    spec = {"address": _address(scene), "location": "nobody's"}
    await scene.put("ingest", "MailRecipient", _name(scene), spec)


def _bring(scene: Scene) -> object:
    """Send the mail as its server does, the same each time; True when it was taken."""
    mail = f"Message-ID: <{scene.run}@cars.example>\r\nSubject: Lead\r\n\r\n<adf><prospect/></adf>\r\n"
    port = scene.stack.mail_in_port
    assert port is not None
    try:
        with smtplib.SMTP("127.0.0.1", port, local_hostname="cars.example", timeout=30) as client:
            client.sendmail(_SENDER, [_address(scene)], mail)
    except (OSError, smtplib.SMTPException) as error:
        return f"{type(error).__name__}: {error}"
    return True


async def _a_mail_comes(scene: Scene) -> None:
    """Nobody answers its server: ingest dies meanwhile. A lead of another way in goes past it."""
    await scene.send(by_http=0, by_queue=1)
    told = await asyncio.to_thread(_bring, scene)
    assert told is not True, "taken and answered by a process that was to die before"


async def _the_mail_comes_again(scene: Scene) -> None:
    await eventually("the mail taken", lambda: _bring(scene), within_seconds=PATIENCE_SECONDS)


async def _is_one_message(scene: Scene) -> None:
    async def published() -> object:
        sql = "SELECT published_at IS NOT NULL AS published FROM raw WHERE source = 'adf' AND account = $1"
        return [row["published"] for row in await scene.sql("ingest", sql, _name(scene))]

    async def arrived() -> object:
        sql = "SELECT count(*) FROM raw WHERE source = 'adf' AND account = $1"
        return (await scene.sql("normalizer", sql, _name(scene)))[0]["count"]

    await scene.eventually("the mail published once", published, [True])
    await scene.eventually("the mail with the normalizer once", arrived, 1)


NOT_ANSWERED = Circumstance(
    "a mail comes, and again when its server is not answered",
    _a_mail_comes,
    prepare=_recipient,
    mend=_the_mail_comes_again,
    check=_is_one_message,
)
