"""What comes after a lead: a visitor permits to be mailed, a tracker learns where somebody came from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx2

from leadbus_devstack.demo import alfatrack
from leadbus_devstack.demo.lead import DemoLead
from leadbus_devstack.demo.play import Sender
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.stack import Stack

_POLL_SECONDS = 0.05
_WAIT_SECONDS = 30.0
_CONSENT_WORDS = "Yes, you may write to me about your products."


def permit(stack: Stack, lead: DemoLead) -> None:
    """Note that a visitor agreed, once a sink has refused the lead for want of that.

    Raises DevstackError when it was not refused.
    """
    held = {"state": "skipped", "outcome": "consent"}
    found: list[str] = []

    def refused() -> bool:
        for one in _ask(stack, "GET", f"/v1/leads?source={lead.source}&limit=100")["items"]:
            story = _ask(stack, "GET", f"/v1/leads/{one['lead_id']}")
            if any(held.items() <= entry.items() for entry in story["ledger"]):
                found.append(one["lead_id"])
        return bool(found)

    _wait(refused, f"{lead.name} was not held back, though nobody permitted it")
    act = {"lead_id": found[0], "action": "grant", "purposes": ["nurture", "sales"], "words": _CONSENT_WORDS}
    _ask(stack, "POST", "/v1/consents", act)


def enrich(stack: Stack, sender: Sender, lead_ids: Mapping[str, str]) -> str:
    """Push what the tracker learned of a lead that has arrived; returns what its story then says.

    `lead_ids` by external id. Raises DevstackError when the lead does not know of it.
    """
    sender.post("alfatrack", alfatrack.KNOWLEDGE, alfatrack.JSON, f"{alfatrack.KNOWN_OF}-knowledge")
    lead_id = lead_ids[alfatrack.KNOWN_OF]

    def enriched() -> bool:
        revisions = _ask(stack, "GET", f"/v1/leads/{lead_id}")["revisions"]
        return any(one["event_type"] == "lead.enriched.v1" for one in revisions)

    _wait(enriched, f"{alfatrack.KNOWN_OF} was not enriched")
    known = _ask(stack, "GET", f"/v1/leads/{lead_id}")["lead"]["attribution"]["source"]["value"]
    return f"{alfatrack.KNOWN_OF} enriched: it came by {known}"


def _wait(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise DevstackError(otherwise)
        time.sleep(_POLL_SECONDS)


def _ask(stack: Stack, method: str, path: str, body: object = None) -> Any:
    answer = httpx2.request(
        method,
        stack.services["normalizer"].url + path,
        headers={"Authorization": f"Bearer {stack.token('operator')}"},
        json=body,
        timeout=10,
    )
    if not answer.is_success:
        raise DevstackError(f"the normalizer answered {answer.status_code} to {path}: {answer.text}")
    return answer.json()
