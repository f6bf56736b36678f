"""Sends the demo's leads, and waits for their mails."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from leadbus_devstack.demo.comparison import PROVIDER, NotAdfError, identifiers, parse_adf
from leadbus_devstack.demo.leads import DemoLead
from leadbus_devstack.endpoints import Endpoints
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.smtp import StoredMail
from leadbus_devstack.stack import SOURCE

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Sent:
    """`accepted_at`: when the 202 or the broker's confirm was there."""

    lead: DemoLead
    accepted_at: datetime


class Sender:
    """Sends leads; their bodies are left as files in `folder`.

    `publisher` is the example that the contract's documentation gives to outside publishers: it knows
    nothing of this code.
    """

    def __init__(self, endpoints: Endpoints, publisher: Path, folder: Path) -> None:
        self._endpoints = endpoints
        self._publisher = publisher
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def send(self, lead: DemoLead) -> Sent:
        """One lead, its own way. Raises DevstackError when it is not accepted."""
        file = self._folder / f"{lead.lead_type}.{lead.media_type.removeprefix('application/')}"
        file.write_bytes(lead.body)
        return Sent(lead, self._post(lead) if lead.way == "HTTP" else self._publish(lead, file))

    def _post(self, lead: DemoLead) -> datetime:
        answer = httpx2.post(
            f"{self._endpoints.services['ingest'].url}/v1/raw/{SOURCE}",
            content=lead.body,
            headers={
                "Authorization": f"Bearer {self._endpoints.api_keys[SOURCE]}",
                "Content-Type": lead.media_type,
                "Idempotency-Key": lead.external_id,
            },
            timeout=10,
        )
        if answer.status_code != 202:
            raise DevstackError(
                f"ingest answered {answer.status_code} to the {lead.lead_type} lead: {answer.text}"
            )
        return datetime.now(UTC)

    def _publish(self, lead: DemoLead, file: Path) -> datetime:
        url = self._endpoints.publishers[SOURCE]
        command = [sys.executable, str(self._publisher), SOURCE, str(file)]
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
            raise DevstackError(f"RabbitMQ did not take the {lead.lead_type} lead: {words.strip()}")
        return accepted_at


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
            for each in sent:
                if each.lead.external_id == _external_id(mail):
                    found[each.lead.external_id] = mail
                    arrived(each, mail)
        seen = len(mails)
        time.sleep(_POLL_SECONDS)
    return found


def _external_id(mail: StoredMail) -> str:
    try:
        return identifiers(parse_adf(mail)).get(PROVIDER, "")
    except NotAdfError:
        return ""
