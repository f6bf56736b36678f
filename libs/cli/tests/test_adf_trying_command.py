"""`leadbus adf preview | test | silence`, against a service that answers as told."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from starlette.responses import JSONResponse

from tests.support.fake_services import Fake

LEAD, DELIVERY = str(UUID(int=1)), str(UUID(int=2))
MAIL = b"Subject: [TEST] x\r\n\r\n<adf>\x1b[2J</adf>\r\n"
SPEC = {"dealer": "d", "address": "x@d.example"}
PREVIEW: dict[str, Any] = {
    "lead_id": LEAD,
    "revision": 1,
    "test": False,
    "route": "main",
    "decisions": [{"action": "skip", "status": None, "recipient": None, "reason": "updates_ignored"}],
    "status": "resend",
    "sender": "leads@leadbus.example",
    "recipient": {"address": "x@d.example", "role": "lead"},
    "recipients": [{"address": "x@d.example", "role": "lead"}],
    "message_id": "<1@leadbus.example>",
    "warnings": [{"code": "name_missing", "field": "customer/contact/name"}],
    "problems": [],
    "notices": [{"pointer": "/address", "code": "address_unlike_vendor", "detail": "ask the vendor"}],
    "size_bytes": len(MAIL),
    "sha256": "ab" * 32,
    "content_base64": base64.b64encode(MAIL).decode(),
}
TRY = {"n": 1, "outcome": "delivered", "reason": None, "answer": "250 2.0.0 Ok: queued as 4F2"}
STORY: dict[str, Any] = {
    "id": DELIVERY,
    "phase": "delivered",
    "outcome": "delivered",
    "reason": None,
    "tries": [TRY],
}


@pytest.fixture
def mailer(fakes: dict[str, Fake]) -> Fake:
    fakes["adf-mailer"].answers = {
        f"GET /v1/leads/{LEAD}/preview": PREVIEW,
        "POST /v1/preview": PREVIEW,
        "GET /v1/settings/AdfRoute/main": {"spec": SPEC},
        "POST /v1/routes/main/test-lead": {"lead_id": LEAD, "route": "main", "delivery_ids": [DELIVERY]},
        f"GET /v1/deliveries/{DELIVERY}": STORY,
        "GET /v1/silence": {"items": [{"dealer": "d", "silent": True, "expected_by_now": 4.5}]},
    }
    return fakes["adf-mailer"]


def test_a_preview_tells_what_would_happen_and_shows_the_mail(leadbus: Any, mailer: Fake) -> None:
    ran = leadbus("adf", "preview", LEAD, "--route", "main", "--status", "new")
    assert (ran.code, ran.err) == (0, "")
    assert "would be skipped: updates_ignored" in ran.out
    assert "warning: name_missing customer/contact/name" in ran.out
    assert "Subject: [TEST] x\n" in ran.out
    # What moves a terminal's cursor does not get there.
    assert "\x1b" not in ran.out
    assert mailer.asked == [(f"GET /v1/leads/{LEAD}/preview", {"route": "main", "status": "new"}, None)]
    assert leadbus("adf", "preview", LEAD, "-r", "main", "--json").json == PREVIEW


def test_it_is_told_to_whom_it_would_go_and_why_not(leadbus: Any, mailer: Fake) -> None:
    boss = {"address": "boss@d.example", "role": "notice"}
    sent = [
        {"action": "deliver", "status": "new", "recipient": one, "reason": None}
        for one in ("x@d.example", "boss@d.example")
    ]
    both = {"decisions": sent, "recipients": [*PREVIEW["recipients"], boss]}
    mailer.answers[f"GET /v1/leads/{LEAD}/preview"] = PREVIEW | both
    lines = leadbus("adf", "preview", LEAD, "-r", "main").out.splitlines()
    assert "to          x@d.example" in lines
    assert "also to     boss@d.example (notice)" in lines
    assert "would be sent to x@d.example as new" in lines
    assert "would be sent to boss@d.example as new" in lines

    skipped = {"action": "skip", "status": None, "recipient": None, "reason": "no_route"}
    mailer.answers[f"GET /v1/leads/{LEAD}/preview"] = PREVIEW | {"decisions": [skipped]}
    ran = leadbus("adf", "preview", LEAD, "-r", "main")
    assert "would be skipped: no_route (the lead is of another dealer than the route)\n" in ran.out
    assert "also to" not in ran.out


def test_the_exact_bytes_go_into_a_file(leadbus: Any, mailer: Fake, tmp_path: Path) -> None:
    out = tmp_path / "mail.eml"
    ran = leadbus("adf", "preview", LEAD, "--route", "main", "--out", str(out))
    assert (ran.code, out.read_bytes()) == (0, MAIL)
    assert "Subject" not in ran.out
    nowhere = leadbus("adf", "preview", LEAD, "--route", "main", "--out", str(tmp_path / "no" / "x"))
    assert (nowhere.code, len(nowhere.complaints)) == (1, 1)


def test_a_document_is_tried_before_it_is_applied(leadbus: Any, mailer: Fake, tmp_path: Path) -> None:
    file = tmp_path / "route.yaml"
    file.write_text("kind: AdfRoute\nmetadata: {name: main}\nspec: {dealer: d, address: x@d.example}\n")
    ran = leadbus("adf", "preview", LEAD, "--file", str(file))
    assert (ran.code, ran.err) == (0, "")
    assert "warning: address: ask the vendor" in ran.out
    assert mailer.asked == [("POST /v1/preview", {}, {"name": "main", "spec": SPEC, "lead_id": LEAD})]
    file.write_text("kind: Dealer\nmetadata: {name: main}\nspec: {}\n")
    refused = leadbus("adf", "preview", LEAD, "--file", str(file))
    assert (refused.code, "one AdfRoute is wanted, 0 are there" in refused.err) == (1, True)


def test_without_a_lead_a_test_is_shown(leadbus: Any, mailer: Fake) -> None:
    assert leadbus("adf", "preview", "--route", "main", "--vehicle", "used").code == 0
    asked: dict[str, Any] = {"name": "main", "spec": SPEC, "test": {"vehicle": "used"}}
    assert mailer.asked[-1] == ("POST /v1/preview", {}, asked)
    unknown = leadbus("adf", "preview", "--route", "nobody")
    assert (unknown.code, unknown.out, unknown.complaints) == (1, "", ["there is no route nobody"])


def test_a_route_is_needed(leadbus: Any, mailer: Fake) -> None:
    for options in ([], ["--route", "main", "--file", "x.yaml"]):
        ran = leadbus("adf", "preview", LEAD, *options)
        assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)
    assert mailer.asked == []


def test_a_test_lead_is_sent_and_its_answer_told(leadbus: Any, mailer: Fake) -> None:
    ran = leadbus("adf", "test", "main", "--vehicle", "used", "--source-type", "Chat")
    assert (ran.code, ran.err) == (0, "")
    assert f"test lead {LEAD} on main" in ran.out
    assert "try 1: delivered: 250 2.0.0 Ok: queued as 4F2\ndelivered\n" in ran.out
    asked: Any = ("POST /v1/routes/main/test-lead", {}, {"vehicle": "used", "source_type": "Chat"})
    assert mailer.asked[0] == asked
    assert leadbus("adf", "test", "main", "--json").json["deliveries"] == [STORY]


def test_of_several_recipients_each_is_named(leadbus: Any, mailer: Fake) -> None:
    held = {**TRY, "outcome": "held", "reason": "address_suspended", "answer": None}
    mailer.answers[f"GET /v1/deliveries/{DELIVERY}"] = STORY | {
        "route": "main",
        "target": "",
        "tries": [held],
    }
    copied = str(UUID(int=3))
    mailer.answers[f"GET /v1/deliveries/{copied}"] = STORY | {"route": "main", "target": "copies.1"}
    both = {"lead_id": LEAD, "route": "main", "delivery_ids": [DELIVERY, copied]}
    mailer.answers["POST /v1/routes/main/test-lead"] = both
    told = leadbus("adf", "test", "main").out.splitlines()
    assert told[1:4] == ["try 1: held address_suspended", "delivered", "main (copies.1)"]


def test_one_that_is_refused_or_still_waits_is_an_error(leadbus: Any, mailer: Fake) -> None:
    refused = {**TRY, "outcome": "refused", "reason": "bad_address", "answer": "550 5.1.1 nobody"}
    failed = {"phase": "failed", "outcome": "refused", "reason": "bad_address", "tries": [refused]}
    mailer.answers[f"GET /v1/deliveries/{DELIVERY}"] = STORY | failed
    ran = leadbus("adf", "test", "main")
    assert (ran.code, len(ran.complaints)) == (1, 1)
    assert "550 5.1.1 nobody" in ran.out
    assert f"delivery {DELIVERY} is failed: refused bad_address" in ran.err

    waiting: dict[str, Any] = {"phase": "queued", "outcome": None, "tries": []}
    mailer.answers[f"GET /v1/deliveries/{DELIVERY}"] = STORY | waiting
    ran = leadbus("adf", "test", "main", "--wait", "0.01")
    assert (ran.code, "is queued: no answer yet" in ran.err) == (1, True)
    # Nobody wants to know.
    assert leadbus("adf", "test", "main", "--wait", "0").code == 0


def test_a_route_that_takes_no_tests_says_what_to_do(leadbus: Any, mailer: Fake) -> None:
    problem = {"type": "x/test-lead-refused", "title": "No", "status": 409, "detail": "set `send_test_leads`"}
    mailer.answers["POST /v1/routes/main/test-lead"] = JSONResponse(problem, 409)
    ran = leadbus("adf", "test", "main")
    assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)
    assert "set `send_test_leads`" in ran.err


def test_silence_is_listed(leadbus: Any, mailer: Fake) -> None:
    ran = leadbus("adf", "silence", "--silent")
    assert (ran.code, ran.err, "4.5" in ran.out) == (0, "", True)
    assert mailer.asked == [("GET /v1/silence", {"silent": "true"}, None)]
    assert leadbus("adf", "silence", "--json").json["items"][0]["dealer"] == "d"
