"""O: whose word is taken for where a parked or unrouted message came from."""

from __future__ import annotations

from typing import Any

import pytest
from leadbus.envelope import Properties
from leadbus.messages import IncomingMessage
from leadbus.parked.origin import Unproven, as_before, as_published, matches

QUEUE = "normalizer.raw"


def message(**told: Any) -> IncomingMessage:
    said: dict[str, Any] = {
        "body": b"{}",
        "exchange": "leadbus.dlx.normalizer.raw",
        "routing_key": "raw.contactatonce",
        "headers": {},
        "properties": Properties(message_id="m"),
        "redelivered": True,
        "delivery_count": 0,
        "delivery_tag": 1,
    }
    return IncomingMessage(**said | told)


def test_o1_exchange_and_key_are_as_before_the_death() -> None:
    entry = {"queue": QUEUE, "exchange": "elsewhere", "routing-keys": ["raw.bdk"], "count": 1}
    headers = {
        "account": "main",
        "x-death": [entry],
        "x-first-death-queue": QUEUE,
        "x-last-death-reason": "rejected",
        "x-delivery-count": 3,
        "x-acquired-count": 3,
    }
    before = as_before(QUEUE, message(headers=headers))
    assert (before.exchange, before.routing_key) == ("leadbus.raw", "raw.contactatonce")
    assert before.headers == {"account": "main"}


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"exchange": ""}, "origin_unproven"),
        ({"exchange": "leadbus.raw"}, "origin_unproven"),
        ({"exchange": "leadbus.dlx"}, "origin_unproven"),
        ({"exchange": "leadbus.dlx.adf-mailer.leads"}, "origin_unproven"),
        ({"routing_key": QUEUE}, "not_declared"),
        ({"routing_key": "raw.dms"}, "not_declared"),
        ({"routing_key": ""}, "not_declared"),
    ],
    ids=str,
)
def test_o2_what_the_broker_does_not_prove_is_refused(told: dict[str, str], code: str) -> None:
    with pytest.raises(Unproven) as refused:
        as_before(QUEUE, message(**told))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("queue", "key", "exchange"),
    [
        ("normalizer.ledger", "delivery.failed.v1", "leadbus.events"),
        ("adf-mailer.leads", "lead.received.v1", "leadbus.events"),
        ("adf-mailer.leads", "lead", "leadbus.events"),
    ],
)
def test_o3_events_too(queue: str, key: str, exchange: str) -> None:
    before = as_before(queue, message(exchange=f"leadbus.dlx.{queue}", routing_key=key))
    assert (before.exchange, before.routing_key) == (exchange, key)


def test_o4_published_again_without_the_keys_that_nobody_checked() -> None:
    headers = {
        "CC": ["raw.bdk"],
        "bcc": ["raw.bdk"],
        "x-delivery-count": 1,
        "ce-id": "1",
        "x-death": "forged",
    }
    again = as_published(message(exchange="leadbus.raw", headers=headers))
    assert again.headers == {"ce-id": "1", "x-death": "forged"}, (
        "the rest is the sender's, and judged as ever"
    )


@pytest.mark.parametrize(
    ("headers", "account"),
    [({}, "prairie-publisher"), ({"account": "main"}, "main")],
    ids=["told by the user alone", "told by a header"],
)
def test_o5_the_account_outlives_the_change_of_publisher(headers: dict[str, str], account: str) -> None:
    told = message(exchange="leadbus.raw", headers=headers, user_id="prairie-publisher")
    assert as_published(told).headers["account"] == account


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"exchange": "leadbus.events"}, "not_raw"),
        ({"exchange": "leadbus.raw", "routing_key": "raw.nobody"}, "unroutable"),
        ({"exchange": "leadbus.raw", "unreadable": "ValueError"}, "unreadable_properties"),
    ],
    ids=str,
)
def test_o6_what_is_not_published_again(told: dict[str, str], code: str) -> None:
    with pytest.raises(Unproven) as refused:
        as_published(message(**told))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("pattern", "key", "matching"),
    [
        ("raw.bdk", "raw.bdk", True),
        ("raw.bdk", "raw.bdk.more", False),
        ("raw.bdk", "rawxbdk", False),
        ("raw.*", "raw.bdk", True),
        ("raw.*", "raw", False),
        ("raw.*", "raw.bdk.more", False),
        ("raw.*", "raw.", True),
        ("lead.#", "lead", True),
        ("lead.#", "lead.received.v1", True),
        ("lead.#", "leads.received", False),
        ("#", "", True),
        ("#.v1", "lead.received.v1", True),
        ("*.received.#", "lead.received", True),
    ],
)
def test_o7_topic_patterns(pattern: str, key: str, matching: bool) -> None:
    assert matches(pattern, key) is matching
