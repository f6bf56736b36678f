"""The commands against small services that answer what they are told."""

from __future__ import annotations

import re
from typing import Any

import pytest
from leadbus.web.tokens import Role, StaticKey, TokenVerifier
from leadbus_cli.commands import token
from pydantic import SecretStr
from starlette.responses import JSONResponse, PlainTextResponse

from tests.support.fake_services import Fake

LEAD_ID = "0b1f6a5e-5c0e-5a3f-9d4c-6f0f7f3f2a11"
RAW_ID = "3f1de8d4-1d0d-4a37-8f2c-5b0d0b1a7e42"
DELIVERY_ID = "5f3ab1c6-5a57-4a27-9d6b-2f2f0f5c9b01"
UNKNOWN = "00000000-0000-0000-0000-000000000000"


def delivery(**more: Any) -> dict[str, Any]:
    return {
        "id": DELIVERY_ID,
        "key": "k",
        "subject_id": LEAD_ID,
        "destination": "crm.example",
        "route": "prairie-crm",
        "dealer": "prairie",
        "phase": "failed",
        "outcome": "permanent",
        "reason": "refused",
        "attempts": 1,
        "ambiguous": False,
        "planned_at": "2026-04-14T16:03:07Z",
        "next_try_at": None,
        "finished_at": "2026-04-14T16:03:08Z",
    } | more


def story(**more: Any) -> dict[str, Any]:
    tried = {
        "n": 1,
        "started_at": "2026-04-14T16:03:07Z",
        "duration_ms": 431,
        "outcome": "permanent",
        "reason": "refused",
        "answer": "550 no such user",
        "ambiguous": False,
    }
    act = {"at": "2026-04-14T17:00:00Z", "actor": "ann", "action": "delivery.redrive", "detail": {}}
    return delivery(tries=[tried], acts=[act], details={"message_id": "<1@leadbus.example>"}) | more


def lead_story() -> dict[str, Any]:
    return {
        "lead_id": LEAD_ID,
        "revision": 1,
        "source": "contactatonce",
        "account": "main",
        "dealer": "prairie",
        "test": False,
        "received_at": "2026-04-14T16:03:07Z",
        "updated_at": "2026-04-14T16:03:07Z",
        "state": "failed",
        "masked": True,
        "lead": {
            "source_type": "Chat",
            "channel": "chat",
            "ids": [{"source": "ContactAtOnce!", "value": "CAO-1"}],
            "customer": {
                "name": {"full": "J*** N***"},
                "emails": [{"raw": "j***@***"}],
                "phones": [{"raw": "555 0191", "e164": "+13125550191"}],
            },
            "vehicles": [
                {"status": "new", "year": "2026", "make": "Honda"},
                {"status": "unknown", "make": "Kia", "vin": "1HGCM82633A004352"},
            ],
            "message": "after\u00a05\u2003pm\n\x1b[2J",
            "links": [{"lead_id": UNKNOWN, "why": "possible_duplicate"}],
        },
        "revisions": [
            {
                "revision": 1,
                "event_type": "lead.received.v1",
                "changed": [],
                "at": "2026-04-14T16:03:07Z",
                "raw_id": RAW_ID,
                "raw_key": UNKNOWN,
                "source": "contactatonce",
            }
        ],
        "ledger": [],
    }


def raw_story(**more: Any) -> dict[str, Any]:
    return {
        "raw_id": RAW_ID,
        "raw_key": UNKNOWN,
        "source": "contactatonce",
        "account": "main",
        "digest": "d",
        "received_at": "2026-04-14T16:03:07Z",
        "stored_at": "2026-04-14T16:03:07Z",
        "lead_id": LEAD_ID,
        "quarantine": None,
    } | more


def at_the_door(**more: Any) -> dict[str, Any]:
    return {
        "raw_id": RAW_ID,
        "status": "published",
        "accepted_at": "2026-04-14T16:03:06Z",
        "published_at": "2026-04-14T16:03:07Z",
        "content_type": "application/json",
        "size_bytes": 512,
    } | more


@pytest.fixture
def told(fakes: dict[str, Fake]) -> dict[str, Fake]:
    """A lead with its whole story."""
    fakes["normalizer"].answers = {
        f"GET /v1/leads/{LEAD_ID}": lead_story(),
        f"GET /v1/raw/{RAW_ID}": raw_story(),
    }
    fakes["ingest"].answers = {f"GET /v1/raw/{RAW_ID}": at_the_door()}
    fakes["adf-mailer"].answers = {
        "GET /v1/deliveries": {"items": [delivery()], "next_cursor": None},
        f"GET /v1/deliveries/{DELIVERY_ID}": story(),
    }
    return fakes


@pytest.mark.parametrize("id_", [LEAD_ID, RAW_ID], ids=["lead id", "raw id"])
def test_the_whole_story_by_either_id(leadbus: Any, told: dict[str, Fake], id_: str) -> None:
    ran = leadbus("lead", "show", id_)
    assert (ran.code, ran.err) == (0, "")
    for said in (
        LEAD_ID,
        "J*** N***",
        "j***@***\n",
        "+13125550191 (555 0191)\n",
        "new 2026 Honda; Kia 1HGCM82633A004352\n",
        "after 5 pm\ufffd\ufffd[2J\n",
        f"{UNKNOWN} (possible_duplicate)\n",
        RAW_ID,
        "published",
        "lead.received.v1",
        DELIVERY_ID,
        "550 no such user",
        "ann",
    ):
        assert said in ran.out
    as_json = leadbus("lead", "show", id_, "--json").json
    assert (as_json["lead"]["lead_id"], as_json["raw"][0]["ingest"]["status"]) == (LEAD_ID, "published")
    assert as_json["deliveries"][0]["tries"][0]["answer"] == "550 no such user"
    assert ("GET /v1/deliveries", {"limit": "500", "subject_id": LEAD_ID}, None) in told["adf-mailer"].asked


def test_what_came_back_is_told_after_the_tries(leadbus: Any, told: dict[str, Fake]) -> None:
    bounces = [{"status": "4.2.2", "became": "repeated"}, {"status": "5.1.1", "became": "failed"}]
    details = {"mails": [{"repeat_number": 0}], "bounces": bounces, "looked_at": None}
    told["adf-mailer"].answers[f"GET /v1/deliveries/{DELIVERY_ID}"] = story(details=details)
    lines = leadbus("deliveries", "show", DELIVERY_ID).out.splitlines()
    headed = [line.strip() for line in lines if line.strip() in ("tries", "mail", "bounce")]
    assert headed == ["tries", "mail", "bounce", "bounce"]
    assert [line.split() for line in lines[lines.index("  bounce") + 1 :][:2]] == [
        ["status", "4.2.2"],
        ["became", "repeated"],
    ]


def test_personal_data_is_asked_for_only_with_reveal(leadbus: Any, told: dict[str, Fake]) -> None:
    address = f"GET /v1/leads/{LEAD_ID}"
    leadbus("lead", "show", LEAD_ID)
    assert all("reveal" not in query for key, query, _ in told["normalizer"].asked if key == address)
    leadbus("lead", "show", LEAD_ID, "--reveal")
    assert (address, {"reveal": "true"}, None) in told["normalizer"].asked


def test_each_recipient_of_a_route_is_a_row(leadbus: Any, told: dict[str, Fake]) -> None:
    said = {
        "sink": "adf-mailer",
        "route": "prairie",
        "attempts": 1,
        "ambiguous": False,
        "repeat": False,
        "delivery_id": DELIVERY_ID,
        "planned_at": "2026-04-14T16:03:07Z",
        "finished_at": "2026-04-14T16:03:08Z",
    }
    told["normalizer"].answers[f"GET /v1/leads/{LEAD_ID}"] = lead_story() | {
        "ledger": [
            said | {"target": "", "aside": False, "state": "failed", "outcome": "refused"},
            said | {"target": "copies.1", "aside": True, "state": "delivered", "outcome": "delivered"},
        ]
    }
    _, _, rows = leadbus("lead", "show", LEAD_ID).out.partition("what the sinks said\n")
    first, copy = (re.split(r"  +", row.strip()) for row in rows.splitlines()[1:3])
    assert first[:5] == ["adf-mailer", "prairie", "no", "failed", "refused"]
    assert copy[:5] == ["adf-mailer", "prairie (copies.1)", "yes", "delivered", "delivered"]


def test_a_sink_that_is_away_is_said_and_the_rest_is_told(
    leadbus: Any, told: dict[str, Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADBUS_ADF_MAILER_URL", "http://127.0.0.1:1")
    ran = leadbus("lead", "show", LEAD_ID)
    assert (ran.code, len(ran.complaints)) == (1, 1)
    assert "adf-mailer" in ran.complaints[0]
    assert "lead.received.v1" in ran.out


def test_a_service_whose_database_is_away_is_said_and_the_rest_is_told(
    leadbus: Any, told: dict[str, Fake]
) -> None:
    away = {"type": "x/unavailable", "title": "The database does not answer just now", "status": 503}
    told["adf-mailer"].answers["GET /v1/deliveries"] = JSONResponse(away, 503)
    told["ingest"].answers[f"GET /v1/raw/{RAW_ID}"] = PlainTextResponse("<html>", 502)
    ran = leadbus("lead", "show", LEAD_ID)
    said = ["ingest: HTTP 502", "adf-mailer: The database does not answer just now"]
    assert (ran.code, ran.complaints) == (1, said)
    assert "lead.received.v1" in ran.out


def test_further_raw_messages_with_the_same_id_are_told(leadbus: Any, told: dict[str, Fake]) -> None:
    others = [UNKNOWN.replace("0", digit) for digit in "12"]
    told["normalizer"].answers[f"GET /v1/raw/{RAW_ID}"] = raw_story(others=others)
    ran = leadbus("lead", "show", RAW_ID)
    assert ran.code == 0
    assert f"further raw messages with this id, by raw key: {', '.join(others)}" in ran.out
    assert ["raw", "key", UNKNOWN] in [line.split() for line in ran.out.splitlines()], "which one this is"


def test_a_raw_message_in_quarantine_has_a_story_too(leadbus: Any, fakes: dict[str, Fake]) -> None:
    fakes["normalizer"].answers = {
        "GET /v1/raw/theirs%2F1": raw_story(raw_id="theirs/1", lead_id=None, quarantine="open"),
        f"GET /v1/quarantine/{UNKNOWN}": {"id": UNKNOWN, "reason": "location_unmapped", "field": "dealer.id"},
    }
    ran = leadbus("lead", "show", "theirs/1")
    assert (ran.code, ran.err) == (0, "")
    assert "location_unmapped" in ran.out
    assert leadbus("lead", "show", "theirs/1", "--json").json["lead"] is None


def test_a_raw_message_that_nobody_read_yet(leadbus: Any, fakes: dict[str, Fake]) -> None:
    fakes["ingest"].answers = {f"GET /v1/raw/{RAW_ID}": at_the_door(status="accepted", published_at=None)}
    ran = leadbus("lead", "show", RAW_ID)
    assert ran.code == 0
    assert "not read yet" in ran.out


@pytest.mark.parametrize(
    "command",
    [
        ("lead", "show", UNKNOWN),
        ("lead", "show", "no such id"),
        ("deliveries", "show", UNKNOWN),
        ("deliveries", "show", "x"),
        ("deliveries", "redrive", UNKNOWN),
        ("deliveries", "cancel", "../leads"),
        ("destinations", "pause", "nowhere", "--reason", "r"),
        ("destinations", "resume", "nowhere"),
        ("quarantine", "show", UNKNOWN),
        ("quarantine", "replay", "x"),
        ("quarantine", "discard", UNKNOWN, "--reason", "r"),
        ("source", "key", "rotate", "contactatonce", "x"),
    ],
    ids=" ".join,
)
def test_unknown_ids_are_said_in_one_line(
    leadbus: Any, fakes: dict[str, Fake], command: tuple[str, ...]
) -> None:
    ran = leadbus(*command)
    assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)


@pytest.mark.parametrize(
    "command",
    [
        ("lead", "list"),
        ("lead", "show", LEAD_ID),
        ("deliveries", "list"),
        ("deliveries", "redrive", DELIVERY_ID),
        ("destinations", "list"),
        ("source", "key", "list", "contactatonce"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "json"])
def test_services_that_are_away_are_said_in_one_line(
    leadbus: Any, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], as_json: list[str]
) -> None:
    for name in ("INGEST", "NORMALIZER", "ADF_MAILER"):
        monkeypatch.setenv(f"LEADBUS_{name}_URL", "http://127.0.0.1:1")
    ran = leadbus(*command, *as_json)
    assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)
    assert "does not answer" in ran.complaints[0]


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://[", "http://127.0.0.1:99999"])
def test_an_odd_url_is_no_traceback(leadbus: Any, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LEADBUS_NORMALIZER_URL", url)
    assert leadbus("lead", "list").code == 1


def test_something_else_at_the_address_is_said(leadbus: Any, fakes: dict[str, Fake]) -> None:
    fakes["normalizer"].answers["GET /v1/leads"] = PlainTextResponse("<html>")
    assert leadbus("lead", "list").complaints[0].endswith("did not answer with JSON: is that the service?")
    fakes["normalizer"].answers["GET /v1/leads"] = PlainTextResponse("<html>", 502)
    assert leadbus("lead", "list").complaints == ["normalizer: HTTP 502"]
    fakes["normalizer"].answers["GET /v1/leads"] = []
    assert leadbus("lead", "list").code == 1


def test_a_problem_is_told_with_its_fields(leadbus: Any, fakes: dict[str, Fake]) -> None:
    problem = {
        "type": "https://leadbus.dev/problems/invalid",
        "title": "The request is readable, but not valid",
        "status": 422,
        "errors": [{"detail": "not a time", "code": "x", "parameter": "since"}],
    }
    fakes["normalizer"].answers["GET /v1/leads"] = JSONResponse(problem, 422)
    assert leadbus("lead", "list", "--since", "x").complaints == [
        "normalizer: The request is readable, but not valid; since: not a time"
    ]


def test_lists_go_on_page_after_page_up_to_the_limit(leadbus: Any, fakes: dict[str, Fake]) -> None:
    page = {"items": [{"lead_id": str(n)} for n in range(2)], "next_cursor": "next"}
    fakes["normalizer"].answers["GET /v1/leads"] = page
    assert len(leadbus("lead", "list", "--limit", "5", "--json").json["items"]) >= 5
    assert [query.get("cursor") for _, query, _ in fakes["normalizer"].asked] == [None, "next", "next"]
    assert [query["limit"] for _, query, _ in fakes["normalizer"].asked] == ["5", "3", "1"]


def test_an_empty_list_says_so(leadbus: Any, fakes: dict[str, Fake]) -> None:
    fakes["normalizer"].answers["GET /v1/leads"] = {"items": [], "next_cursor": None}
    assert leadbus("lead", "list").out == "none\n"
    assert leadbus("lead", "list", "--json").json == {"items": []}


def test_filters_are_passed_on(leadbus: Any, fakes: dict[str, Fake]) -> None:
    for name, path in (
        ("normalizer", "leads"),
        ("adf-mailer", "deliveries"),
        ("normalizer", "quarantine"),
        ("ingest", "quarantine"),
    ):
        fakes[name].answers[f"GET /v1/{path}"] = {"items": [], "next_cursor": None}
    leadbus("lead", "list", "--dealer", "prairie", "--no-test", "--state", "failed")
    leadbus("deliveries", "list", "--phase", "failed", "--subject", LEAD_ID)
    leadbus("quarantine", "list", "--reason", "location_unmapped")
    leadbus("quarantine", "list", "--all")
    asked = [query for fake in fakes.values() for _, query, _ in fake.asked]
    assert {"limit": "50", "dealer": "prairie", "test": "false", "state": "failed"} in asked
    assert {"limit": "50", "phase": "failed", "subject_id": LEAD_ID} in asked
    assert {"limit": "50", "reason": "location_unmapped", "state": "open"} in asked
    assert {"limit": "50"} in asked


def test_several_deliveries_are_redriven_and_a_refused_one_stops_no_other(
    leadbus: Any, fakes: dict[str, Fake]
) -> None:
    other = DELIVERY_ID.replace("5f3a", "6f3a")
    conflict = {"type": "x/delivery-in-flight", "title": "The delivery is being sent", "status": 409}
    fakes["adf-mailer"].answers = {
        f"GET /v1/deliveries/{DELIVERY_ID}": story(),
        f"GET /v1/deliveries/{other}": story(),
        f"POST /v1/deliveries/{DELIVERY_ID}/redrive": JSONResponse(conflict, 409),
        f"POST /v1/deliveries/{other}/redrive": delivery(phase="queued"),
    }
    ran = leadbus("deliveries", "redrive", DELIVERY_ID, other)
    assert (ran.code, ran.out) == (1, f"{other} is queued\n")
    assert ran.complaints == [f"{DELIVERY_ID}: adf-mailer: The delivery is being sent"]


def test_an_unknown_id_among_several_touches_none(leadbus: Any, fakes: dict[str, Fake]) -> None:
    fakes["adf-mailer"].answers = {f"GET /v1/deliveries/{DELIVERY_ID}": story()}
    assert leadbus("deliveries", "cancel", DELIVERY_ID, UNKNOWN).code == 1
    assert [key for key, _, _ in fakes["adf-mailer"].asked if key.startswith("POST")] == []


def test_a_destination_is_paused_by_its_whole_name(leadbus: Any, fakes: dict[str, Fake]) -> None:
    name = "smtp:[::1]/a b"
    quoted = "smtp%3A%5B%3A%3A1%5D%2Fa%20b"
    fakes["adf-mailer"].answers = {
        f"GET /v1/destinations/{quoted}": {"name": name},
        f"POST /v1/destinations/{quoted}/pause": {"name": name, "paused_at": "2026-04-14T16:03:07Z"},
    }
    assert leadbus("destinations", "pause", name, "--reason", "moved").out == f"{name} paused\n"
    assert fakes["adf-mailer"].asked[-1][2] == {"reason": "moved"}


def test_a_key_is_shown_once_and_whole(leadbus: Any, fakes: dict[str, Fake]) -> None:
    key = "lbk_" + "x" * 120
    made = {"key": key, "key_id": "abc", "source": "contactatonce", "account": "main", "label": ""}
    fakes["ingest"].answers["POST /v1/sources/contactatonce/keys"] = made
    assert key in leadbus("source", "key", "create", "contactatonce", "--account", "main").out
    assert fakes["ingest"].asked[-1][2] == {"account": "main", "label": ""}


def test_other_peoples_text_cannot_command_the_terminal(leadbus: Any, told: dict[str, Fake]) -> None:
    nasty = "550 \x1b]0;pwned\x07\x1b[2J\u202e[bold]hello[/bold]\r\nleadbus: fine"
    told["adf-mailer"].answers[f"GET /v1/deliveries/{DELIVERY_ID}"] = story(
        reason=nasty, details={"note": nasty}
    )
    ran = leadbus("deliveries", "show", DELIVERY_ID)
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(ran.out)
    assert "[bold]hello[/bold]" in ran.out


@pytest.mark.parametrize(
    ("ttl", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("8h", 28800), ("7d", 604800)]
)
async def test_a_token_is_what_the_services_accept(
    leadbus: Any, monkeypatch: pytest.MonkeyPatch, ttl: str, seconds: int
) -> None:
    key = "a key for tests that is long enough to sign with"
    monkeypatch.setenv("LEADBUS_TOKEN_KEY", key)
    command = ("token", "create", "--role", "operator", "--subject", "ann", "--dealers", "a, b", "--ttl", ttl)
    ran = leadbus(*command)
    actor = await TokenVerifier(StaticKey(SecretStr(key))).verify(ran.out.strip())
    assert (actor.subject, actor.role, actor.dealers) == ("ann", Role.OPERATOR, frozenset({"a", "b"}))
    assert leadbus(*command, "--json").json["ttl_seconds"] == seconds


def test_roles_are_those_of_the_services() -> None:
    assert [role.value for role in token.Role] == [role.value for role in Role]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--role", "operator", "--subject", "ann"), 1),
        (("--role", "king", "--subject", "ann"), 2),
        (("--role", "operator"), 2),
        (("--role", "operator", "--subject", "ann", "--ttl", "soon"), 2),
    ],
    ids=["no key", "no such role", "no subject", "no time"],
)
def test_no_token_without_what_it_takes(leadbus: Any, arguments: tuple[str, ...], code: int) -> None:
    ran = leadbus("token", "create", *arguments)
    assert (ran.code, ran.out) == (code, "")


def test_a_weak_key_signs_nothing(leadbus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADBUS_TOKEN_KEY", "short")
    ran = leadbus("token", "create", "--role", "viewer", "--subject", "ann")
    assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)
    assert "short" not in ran.err


@pytest.mark.parametrize(
    "arguments", [(), ("lead",), ("nonsense",), ("lead", "list", "--limit", "0"), ("--nope",)]
)
def test_wrong_use_is_exit_code_2(leadbus: Any, arguments: tuple[str, ...]) -> None:
    assert leadbus(*arguments).code == 2


@pytest.mark.parametrize(
    "group",
    ["topology", "lead", "deliveries", "destinations", "quarantine", "source", "token", "virtualexpo", "bdk"],
)
def test_every_group_explains_itself(leadbus: Any, group: str) -> None:
    ran = leadbus(group, "--help")
    assert ran.code == 0
    assert "Commands:" in ran.out
