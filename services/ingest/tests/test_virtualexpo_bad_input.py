"""What VirtualExpo may answer in place of a document: the table of the README, row by row.

The last column of a row is where the document is kept: a reason of ingest's quarantine, or nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from ingest.fetching.download import Patience
from ingest.fetching.fetcher import Bounds, Fetcher
from ingest.fetching.scheduler import Scheduler
from leadbus.contracts.virtualexpo_document import split
from leadbus.outbox import LeftToClaims
from leadbus_devstack.sandboxes.virtualexpo_documents import document, lead

from tests.support.vendor import NEXT_SECONDS, Vendor

LEADS = [lead("VX-1"), lead("VX-2"), lead("VX-3")]


@dataclass(frozen=True, slots=True)
class Row:
    """`leads`: how many of those that are served are there all the same."""

    id: str
    faults: Mapping[str, Any]
    outcome: str
    code: str
    status: int | None = 200
    leads: int = 0
    kept: str | None = None
    bounds: Mapping[str, Any] = field(default_factory=dict)
    served: Sequence[str] = tuple(LEADS)


ROWS = [
    Row("status-401", {"status": 401}, "refused", "http_status", 401),
    Row("status-403", {"status": 403}, "refused", "http_status", 403),
    Row("status-404", {"status": 404}, "failed", "http_status", 404),
    Row("status-429", {"status": 429, "retry_after": "10800"}, "throttled", "http_status", 429),
    Row("status-500", {"status": 500}, "failed", "http_status", 500),
    Row("html", {"answer": "html"}, "failed", "html_answer", kept="undecodable"),
    Row("not-xml", {"answer": "not_xml"}, "failed", "not_xml", kept="undecodable"),
    Row("empty", {"answer": "empty_body"}, "failed", "empty_body"),
    Row("doctype", {"answer": "doctype"}, "failed", "xml_forbidden", kept="xml_forbidden"),
    Row("truncated", {"answer": "truncated"}, "partial", "truncated", leads=1, kept="undecodable"),
    Row(
        "wrong-encoding",
        {"answer": "wrong_encoding"},
        "partial",
        "wrong_encoding",
        leads=3,
        kept="undecodable",
    ),
    Row("cut", {"cut_after_bytes": 900}, "partial", "connection_lost", None, leads=2, kept="undecodable"),
    Row("cut-at-once", {"cut_after_bytes": 0}, "failed", "connection_lost", None),
    Row(
        "too-large",
        {"too_large_bytes": 3_000_000},
        *("failed", "too_large"),
        kept="too_large",
        bounds={"document_bytes": 1_000_000},
    ),
    Row("redirect", {"redirect": "https://elsewhere.example/leads"}, "failed", "redirect_refused", 302),
    Row("redirect-port", {"redirect": "http://127.0.0.1:1/leads"}, "failed", "redirect_refused", 302),
    Row("silent", {"hang": True}, "failed", "timed_out", None, bounds={"patience": Patience(5, 0.2)}),
    Row(
        "drip",
        {"drip_seconds": 0.05},
        *("failed", "timed_out", None),
        kept="undecodable",
        bounds={"whole_seconds": 1.0},
    ),
    Row("no-leads", {}, "succeeded", "ok", served=()),
    Row(
        "bad-lead",
        {},
        *("succeeded", "ok"),
        leads=3,
        served=(LEADS[0], '<lead id="VX-2" category="rumour"><junk/></lead>', LEADS[2]),
    ),
    Row(
        "large-lead",
        {},
        *("partial", "lead_too_large"),
        leads=1,
        kept="too_large",
        served=(LEADS[0], lead("VX-2", message="x" * (4 * 1024 * 1024))),
    ),
]


def scheduler(vendor: Vendor, bounds: Mapping[str, Any]) -> Scheduler:
    given = {"patience": Patience(5, 5), "whole_seconds": 30.0, "document_bytes": 16 * 2**20, "or_http": True}
    fetcher = Fetcher(vendor.database, LeftToClaims(), vendor.clock, Bounds(**{**given, **bounds}))
    return Scheduler(vendor.database, fetcher, vendor.clock, outgoing=LeftToClaims(), whole_seconds=30)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_bad_input(vendor: Vendor, row: Row, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="leadbus")
    vendor.serve(*row.served)
    vendor.sandbox.control(**row.faults)
    await vendor.subscribe()

    result = await scheduler(vendor, row.bounds).fetch_due()

    assert result is not None
    assert (result.outcome, result.code, result.http_status) == (row.outcome, row.code, row.status)
    assert result.new_leads == len(await vendor.published()) == row.leads
    kept = await vendor.rows("SELECT raw_id, reason, detail FROM quarantine")
    assert [entry["reason"] for entry in kept] == ([row.kept] if row.kept else [])
    assert [entry["raw_id"] for entry in kept] == ([result.quarantine_id] if row.kept else [])
    (attempt,) = await vendor.rows("SELECT outcome, code, ended_at FROM virtualexpo_attempt")
    assert (attempt["outcome"], attempt["code"]) == (row.outcome, row.code)
    assert vendor.sandbox.secret not in caplog.text
    assert len(vendor.asked()) == 1

    # An attempt that failed counts as one; and when the vendor is well again, nothing is missing.
    assert await vendor.fetch(7200) is None
    vendor.sandbox.control()
    vendor.serve(*LEADS)
    again = await vendor.fetch(2 * NEXT_SECONDS)
    assert again is not None
    assert again.outcome == "succeeded"
    published = [message["body"] for message in await vendor.published()]
    assert {one.data for one in split(document(LEADS).encode()).leads} <= set(published)
    assert len(published) == len(set(published))


async def test_a_vendor_who_says_when_is_asked_then(vendor: Vendor) -> None:
    vendor.sandbox.control(status=429, retry_after="21600")
    await vendor.subscribe()
    await vendor.fetch()
    assert (await vendor.due_at() - vendor.clock.now()).total_seconds() == 21_600


async def test_a_vendor_who_asks_for_less_than_two_hours_gets_them(vendor: Vendor) -> None:
    vendor.sandbox.control(status=429, retry_after="1")
    await vendor.subscribe()
    await vendor.fetch()
    assert (await vendor.due_at() - vendor.clock.now()).total_seconds() >= 7200


async def test_nobody_there_is_tried_once_more(vendor: Vendor) -> None:
    await vendor.subscribe(url="http://127.0.0.1:1/leads?key={key}")
    result = await vendor.fetch()
    assert result is not None
    assert (result.outcome, result.code) == ("failed", "connect_failed")
    assert await vendor.fetch(7200) is None


async def test_the_same_page_is_kept_once(vendor: Vendor) -> None:
    vendor.sandbox.control(answer="html")
    await vendor.subscribe()
    first, second = await vendor.fetch(), await vendor.fetch(NEXT_SECONDS)
    assert first is not None
    assert second is not None
    assert first.quarantine_id == second.quarantine_id
    assert len(await vendor.rows("SELECT FROM quarantine")) == 1
    events = await vendor.rows("SELECT routing_key FROM outbox WHERE exchange = 'leadbus.events'")
    assert [event["routing_key"] for event in events] == ["raw.quarantined.v1"]


async def test_a_key_that_cannot_be_read_any_more_needs_a_person(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VX_TEST_KEY", vendor.sandbox.secret)
    await vendor.subscribe(key="env:VX_TEST_KEY")
    monkeypatch.delenv("VX_TEST_KEY")
    result = await vendor.fetch()
    assert result is not None
    assert (result.outcome, result.code) == ("refused", "secret_unreadable")
    assert vendor.asked() == []


async def test_http_is_not_used_where_it_is_not_allowed_any_more(vendor: Vendor) -> None:
    await vendor.subscribe()
    result = await scheduler(vendor, {"or_http": False}).fetch_due()
    assert result is not None
    assert (result.outcome, result.code) == ("failed", "http_not_allowed")
    assert vendor.asked() == []
