"""What comes beside a lead: a permission to mail a visitor, where somebody came from, the same once more."""

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


def learn(sender: Sender, knowledge: bytes, external_id: str) -> None:
    """Push what the tracker learned of a lead, be it here or not."""
    sender.post("alfatrack", knowledge, alfatrack.JSON, f"{external_id}-knowledge")


def enriched(stack: Stack, external_id: str, lead_id: str) -> str:
    """What the story of a lead says of where it came from. Raises DevstackError when it does not know."""

    def knows() -> bool:
        revisions = _ask(stack, "GET", f"/v1/leads/{lead_id}")["revisions"]
        return any(one["event_type"] == "lead.enriched.v1" for one in revisions)

    _wait(knows, f"{external_id} was not enriched")
    known = _ask(stack, "GET", f"/v1/leads/{lead_id}")["lead"]["attribution"]["source"]["value"]
    return f"{external_id} enriched: it came by {known}"


def linked(stack: Stack, lead_ids: Mapping[str, str], one: str, other: str) -> str:
    """What two leads of one request say of each other; `lead_ids` by external id.

    Raises DevstackError when they do not name each other.
    """

    def links(external_id: str) -> dict[str, str]:
        lead = _ask(stack, "GET", f"/v1/leads/{lead_ids[external_id]}")["lead"]
        return {link["lead_id"]: link["why"] for link in lead.get("links", ())}

    _wait(
        lambda: lead_ids[other] in links(one) and lead_ids[one] in links(other),
        f"{one} and {other} do not name each other",
    )
    return f"{one} and {other} name each other: {links(one)[lead_ids[other]]}"


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
