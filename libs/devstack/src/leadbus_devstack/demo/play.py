"""Sends the demo's leads, each its own way, and waits for their mails."""

from __future__ import annotations

import json
import os
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.utils import parseaddr
from pathlib import Path

import httpx2

from leadbus_devstack.demo.lead import DemoLead
from leadbus_devstack.demo.prospect import NotAdfError, identifiers, parse_adf
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.sandboxes.virtualexpo_documents import document
from leadbus_devstack.smtp import StoredMail
from leadbus_devstack.stack import Stack

_POLL_SECONDS = 0.05
_SUFFIXES = {"application/json": "json", "application/xml": "xml", "message/rfc822": "eml"}


@dataclass(frozen=True, slots=True)
class Sent:
    """`accepted_at`: when the 202, the confirm or the 250 was there; of what is fetched, when it could be."""

    lead: DemoLead
    accepted_at: datetime


class Sender:
    """Sends leads; their bodies are left as files in `folder`.

    `publisher` is the example that the contract's documentation gives to outside publishers: it knows
    nothing of this code.
    """

    def __init__(self, stack: Stack, publisher: Path, folder: Path) -> None:
        self._stack = stack
        self._endpoints = stack.endpoints()
        self._publisher = publisher
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def offer(self, leads: Sequence[DemoLead]) -> None:
        """Have partners hold what is fetched from them, before anybody asks."""
        served = [self._kept(lead).read_text() for lead in leads if lead.way == "fetched"]
        self._stack.sandboxes["virtualexpo"].ask("PUT", "/document", {"xml": document(served)})

    def send(self, lead: DemoLead) -> Sent:
        """One lead, its own way. Raises DevstackError when it is not accepted."""
        file = self._kept(lead)
        match lead.way:
            case "HTTP":
                self.post(lead.source, lead.body, lead.media_type, lead.external_id)
            case "queue":
                return Sent(lead, self._publish(lead, file))
            case "mail":
                self._mail(lead)
            case "notified":
                self._notify(lead)
            case "fetched":
                pass  # with the others of its document, since the subscription is there
        return Sent(lead, datetime.now(UTC))

    def post(self, source: str, body: bytes, media_type: str, idempotency_key: str) -> None:
        """To ingest's door. Raises DevstackError when it is not accepted."""
        answer = httpx2.post(
            f"{self._endpoints.services['ingest'].url}/v1/raw/{source}",
            content=body,
            headers={
                "Authorization": f"Bearer {self._endpoints.api_keys[source]}",
                "Content-Type": media_type,
                "Idempotency-Key": idempotency_key,
            },
            timeout=10,
        )
        if answer.status_code != 202:
            raise DevstackError(f"ingest answered {answer.status_code} to {source}: {answer.text}")

    def _kept(self, lead: DemoLead) -> Path:
        file = self._folder / f"{lead.source}-{lead.kind}.{_SUFFIXES[lead.media_type]}"
        file.write_bytes(lead.body)
        return file

    def _mail(self, lead: DemoLead) -> None:
        host, _, port = self._endpoints.mail_in.partition(":")
        head = message_from_bytes(lead.body)
        sender, recipient = (parseaddr(head[name])[1] for name in ("From", "To"))
        try:
            with smtplib.SMTP(host, int(port), timeout=10) as server:
                server.sendmail(sender, [recipient], lead.body)
        except (OSError, smtplib.SMTPException) as error:
            raise DevstackError(f"ingest did not take the mail of {lead.name}: {error}") from None

    def _notify(self, lead: DemoLead) -> None:
        bank = self._stack.sandboxes["bdk"]
        answered = bank.ask("POST", "/leads", [_decoded(lead)])
        if answered != [202]:
            raise DevstackError(f"ingest answered {answered} to the notification of {lead.name}")

    def _publish(self, lead: DemoLead, file: Path) -> datetime:
        url = self._endpoints.publishers[lead.source]
        command = [sys.executable, str(self._publisher), lead.source, str(file)]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ) | {"PYTHONUNBUFFERED": "1", "LEADBUS_AMQP_URL": url},
            text=True,
        ) as publishing:
            assert publishing.stdout is not None
            confirmed = publishing.stdout.readline()
            accepted_at = datetime.now(UTC)
            _, words = publishing.communicate(timeout=30)
        if publishing.returncode != 0 or not confirmed:
            raise DevstackError(f"RabbitMQ did not take {lead.name}: {words.strip()}")
        return accepted_at


def _decoded(lead: DemoLead) -> object:
    return json.loads(lead.body)


def wait_for_mails(
    sent: Sequence[Sent],
    messages: Callable[[], list[StoredMail]],
    *,
    timeout_seconds: float,
    arrived: Callable[[Sent, StoredMail], None],
) -> dict[str, StoredMail]:
    """Mails by the leads' external ids; what is missing when time is up is not in it."""
    found: dict[str, StoredMail] = {}
    seen = 0
    deadline = time.monotonic() + timeout_seconds
    while len(found) < len(sent) and time.monotonic() < deadline:
        mails = messages()
        for mail in mails[seen:]:
            ids = _ids(mail)
            for each in sent:
                if each.lead.external_id in ids and each.lead.external_id not in found:
                    found[each.lead.external_id] = mail
                    arrived(each, mail)
        seen = len(mails)
        time.sleep(_POLL_SECONDS)
    return found


def _ids(mail: StoredMail) -> set[str]:
    try:
        return set(identifiers(parse_adf(mail)).values())
    except NotAdfError:
        return set()
