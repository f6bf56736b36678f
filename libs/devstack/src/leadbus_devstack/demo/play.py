"""Sends the demo's leads, and waits for their mails."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import httpx2

from leadbus_devstack.demo import publisher
from leadbus_devstack.demo.comparison import PROVIDER, NotAdfError, identifiers, parse_adf
from leadbus_devstack.demo.leads import DemoLead
from leadbus_devstack.endpoints import Endpoints
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.smtp import StoredMail

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Sent:
    """`accepted_at`: when the 202 or the broker's confirm was there."""

    lead: DemoLead
    accepted_at: datetime


def send(lead: DemoLead, endpoints: Endpoints) -> Sent:
    """One lead, its own way. Raises DevstackError when it is not accepted."""
    ways: dict[str, Callable[[DemoLead, Endpoints], datetime]] = {"HTTP": _post, "queue": _publish}
    return Sent(lead, ways[lead.way](lead, endpoints))


def _post(lead: DemoLead, endpoints: Endpoints) -> datetime:
    answer = httpx2.post(
        f"{endpoints.services['ingest'].url}/v1/raw/contactatonce",
        content=lead.body,
        headers={
            "Authorization": f"Bearer {endpoints.api_keys['contactatonce']}",
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


def _publish(lead: DemoLead, endpoints: Endpoints) -> datetime:
    done = subprocess.run(
        [
            *(sys.executable, publisher.__file__, endpoints.publishers["contactatonce"], "contactatonce"),
            *(str(uuid4()), lead.media_type),
        ],
        input=lead.body,
        capture_output=True,
        timeout=30,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise DevstackError(f"RabbitMQ did not take the {lead.lead_type} lead: {''.join(reason)}")
    return datetime.fromisoformat(done.stdout.decode().strip())


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
