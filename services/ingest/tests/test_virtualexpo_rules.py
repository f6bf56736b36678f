"""Pure rules of VirtualExpo: when to ask, what an attempt comes to, what a trial tells, what may be set."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ingest.fetching.due import FLOOR, STARTS_WITHIN, allowed_at, asked_for, next_due
from ingest.fetching.ending import Broken, Ending, Outcome, TransferCode, ending
from ingest.fetching.scheduler import LONGEST_CONNECT_SECONDS
from ingest.fetching.trial_report import report
from ingest.sources.virtualexpo import VirtualExpoSubscription, check
from leadbus.contracts.virtualexpo_document import DocumentFault, FaultCode, split
from leadbus.contracts.virtualexpo_lead_document import LeadDocument, LeadFault
from leadbus.settings.documents import InvalidSpec
from leadbus_devstack.sandboxes.virtualexpo_documents import document, lead
from pydantic import SecretStr, ValidationError

NOW = datetime(2026, 4, 14, 12, 0, tzinfo=UTC)
LEAD = LeadDocument(0, b"<lead/>", "id:VX-1", "request")
TOO_LARGE = LeadDocument(0, b"", "id:VX-2", "request", (LeadFault("too_large", ""),))


@pytest.mark.parametrize("interval_seconds", [0, 7200, 9000, 86_400])
@pytest.mark.parametrize("spread", [-1.0, 0.0, 0.3, 1.0, 7.0])
def test_vx_3_an_interval_is_only_ever_stretched(interval_seconds: float, spread: float) -> None:
    wait = next_due(NOW, interval_seconds, spread) - NOW - STARTS_WITHIN
    interval = max(FLOOR, timedelta(seconds=interval_seconds))
    assert interval <= wait <= interval * 1.05


def test_what_began_late_is_still_two_hours_before_what_begins_at_once() -> None:
    """A call begins up to two connects and a wait after its attempt is written down."""
    assert timedelta(seconds=3 * LONGEST_CONNECT_SECONDS) <= STARTS_WITHIN
    latest_call = NOW + STARTS_WITHIN
    assert next_due(NOW, 7200, 0) - latest_call >= timedelta(hours=2)
    assert asked_for(NOW, NOW) - latest_call >= timedelta(hours=2)


def test_who_wants_it_now_gets_it_when_it_is_allowed() -> None:
    assert asked_for(None, NOW) == NOW
    assert asked_for(NOW - timedelta(hours=5), NOW) == NOW
    assert asked_for(NOW - timedelta(hours=1), NOW) == NOW + timedelta(hours=1) + STARTS_WITHIN
    assert allowed_at(None) is None


def faults(*codes: FaultCode) -> list[DocumentFault]:
    return [DocumentFault(code, 1) for code in codes]


@pytest.mark.parametrize(
    ("broken", "found", "leads", "expected"),
    [
        (None, [], [], Ending(Outcome.SUCCEEDED, "ok")),
        (None, [], [LEAD], Ending(Outcome.SUCCEEDED, "ok")),
        (None, [], [LEAD, TOO_LARGE], Ending(Outcome.PARTIAL, "lead_too_large", "too_large")),
        (None, faults("html_answer"), [], Ending(Outcome.FAILED, "html_answer", "undecodable")),
        (None, faults("truncated"), [LEAD], Ending(Outcome.PARTIAL, "truncated", "undecodable")),
        (
            None,
            faults("unexpected_content", "truncated"),
            [LEAD],
            Ending(Outcome.PARTIAL, "truncated", "undecodable"),
        ),
        (None, faults("empty_body"), [], Ending(Outcome.FAILED, "empty_body")),
        (None, faults("xml_forbidden"), [], Ending(Outcome.FAILED, "xml_forbidden", "xml_forbidden")),
        (None, faults("too_large"), [LEAD], Ending(Outcome.PARTIAL, "too_large", "too_large")),
        (None, faults("wrong_root"), [], Ending(Outcome.FAILED, "wrong_root", "payload_invalid")),
        (
            None,
            faults("count_mismatch"),
            [LEAD],
            Ending(Outcome.PARTIAL, "count_mismatch", "payload_invalid"),
        ),
    ],
)
def test_what_a_document_comes_to(
    broken: Broken | None, found: list[DocumentFault], leads: list[LeadDocument], expected: Ending
) -> None:
    assert ending(broken, found, leads) == expected


@pytest.mark.parametrize(
    ("code", "status", "outcome"),
    [
        ("http_status", 401, Outcome.REFUSED),
        ("http_status", 403, Outcome.REFUSED),
        ("secret_unreadable", None, Outcome.REFUSED),
        ("http_status", 429, Outcome.THROTTLED),
        ("http_status", 404, Outcome.FAILED),
        ("http_status", 500, Outcome.FAILED),
        ("connect_failed", None, Outcome.FAILED),
        ("timed_out", None, Outcome.FAILED),
        ("stopped", None, Outcome.INTERRUPTED),
    ],
)
def test_what_no_document_comes_to(code: TransferCode, status: int | None, outcome: Outcome) -> None:
    assert ending(Broken(code, status), [], []).outcome is outcome


def test_leads_that_came_before_a_connection_broke_stand() -> None:
    assert ending(Broken("connection_lost"), [], [LEAD]) == Ending(
        Outcome.PARTIAL, "connection_lost", "undecodable"
    )


def test_a_trial_tells_numbers_and_nobodys_data() -> None:
    leads = split(
        document(
            [
                lead("VX-1", type_="Documentation / Quote", message="Dear Sir"),
                lead("VX-2", category="visit", type_=None),
                lead("VX-3", type_="Brochure"),
                '<lead id="VX-4" category="rumour" marketplace="DirectIndustry"/>\n',
            ]
        ).encode()
    ).leads
    told = report(leads, ("request",))
    assert told["leads"] == 4
    assert told["categories"] == {"request": 2, "visit": 1, "unknown": 1}
    assert told["not_selected"] == 1
    assert told["types"] == {"documentation": 1, "other": 1, "quote": 1}
    assert told["fields"]["lead/buyer/email"] == 3
    assert told["fields"]["lead/message"] == 1
    assert {"rule": "cvc_enumeration_valid", "path": "lead", "leads": 1} in told["faults"]
    for secret in ("Claire", "legoff", "Dear Sir", "Brochure", "VX-1", "rumour"):
        assert secret not in json.dumps(told)


def subscription(**changed: Any) -> VirtualExpoSubscription:
    spec = {
        "marketplace": "AeroExpo",
        "url": "https://export.example/leads?key={key}",
        "key": "env:VX_TEST_KEY",
        **changed,
    }
    return VirtualExpoSubscription.model_validate(spec)


@pytest.fixture
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VX_TEST_KEY", "a&b c")


def refusal(**changed: Any) -> tuple[str, str]:
    with pytest.raises(InvalidSpec) as refused:
        check(subscription(**changed), or_http=False)
    return refused.value.pointer, refused.value.code


@pytest.mark.usefixtures("_key")
@pytest.mark.parametrize(
    ("case", "changed", "refused"),
    [
        ("http", {"url": "http://export.example/{key}"}, ("/url", "https_needed")),
        ("no place for the key", {"url": "https://export.example/"}, ("/url", "key_misplaced")),
        ("two places", {"url": "https://export.example/{key}/{key}"}, ("/url", "key_misplaced")),
        ("key as host", {"url": "https://{key}.example/"}, ("/url", "key_misplaced")),
        ("key twice over", {"key_header": "X-Key"}, ("/url", "key_misplaced")),
        ("twice", {"categories": ["request", "request"]}, ("/categories", "named_twice")),
        ("visits", {"categories": ["request", "visit"]}, ("/visits_confirmed", "confirmation_needed")),
        ("no such variable", {"key": "env:VX_NOT_SET"}, ("/key", "secret_unreadable")),
        ("no such file", {"key": "file:/nonexistent"}, ("/key", "secret_unreadable")),
    ],
)
def test_a_setting_that_cannot_work_is_refused(
    case: str, changed: dict[str, Any], refused: tuple[str, str]
) -> None:
    assert refusal(**changed) == refused


@pytest.mark.parametrize(
    "changed",
    [
        {"interval_seconds": 7199},
        {"categories": []},
        {"categories": ["rumour"]},
        {"marketplace": "CarExpo"},
        {"key": "the-key-itself"},
        {"url": "ftp://export.example/{key}"},
        {"url": "https://user:password@export.example/{key}"},
        {"key_header": "no header"},
    ],
)
def test_a_field_that_says_nothing_usable_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        subscription(**changed)


@pytest.mark.usefixtures("_key")
def test_visits_are_selected_by_who_read_the_advice() -> None:
    with pytest.raises(InvalidSpec, match="permission was obtained"):
        check(subscription(categories=["visit"]), or_http=False)
    check(subscription(categories=["visit"], visits_confirmed=True), or_http=False)


def test_a_key_is_quoted_into_its_place() -> None:
    address, headers = subscription().address(SecretStr("a&b/c d"))
    assert address.get_secret_value() == "https://export.example/leads?key=a%26b%2Fc%20d"
    assert headers == {}
    address, headers = subscription(url="https://e.example/", key_header="X-Key").address(SecretStr("k"))
    assert (address.get_secret_value(), headers) == ("https://e.example/", {"X-Key": "k"})


def test_a_subscription_is_known_by_what_is_asked() -> None:
    assert subscription().target == subscription(interval_seconds=9000, trial=True).target
    assert subscription().target != subscription(key="env:OTHER").target
    assert subscription(categories=["visit", "request"]).selected == "request,visit"
