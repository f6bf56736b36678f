"""What a BdkConnection may say, and the addresses that come of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from ingest.bdk import addresses, setting
from ingest.bdk.setting import BdkConnection
from leadbus.settings.documents import InvalidSpec
from leadbus.web.problems import Problem

SPEC: dict[str, Any] = {
    "base_url": "https://leadservice.example/api/crm",
    "token_url": "https://login.example/token",
    "client_id": "leadbus-crm",
    "client_secret": "env:BDK_SECRET",
    "partner_numbers": ["0047110"],
    "notifications": {"secrets": ["env:BDK_SECRET"]},
}


async def _nothing(*_: Any) -> None:
    return None


KIND = setting.kind(or_http=False, on_change=_nothing)
KIND_OF_DEVELOPMENT = setting.kind(or_http=True, on_change=_nothing)


def spec(**changes: Any) -> BdkConnection:
    return BdkConnection.model_validate({**SPEC, **changes})


@pytest.mark.parametrize(
    ("pointer", "changes"),
    [
        pytest.param("/base_url", {"base_url": "leadservice.example"}, id="no address"),
        pytest.param("/base_url", {"base_url": "https://user:pass@h/"}, id="password in the address"),
        pytest.param("/base_url", {"base_url": "https://h/#a"}, id="fragment"),
        pytest.param("/token_url", {"token_url": "ftp://h/"}, id="another scheme"),
        pytest.param("/token_url", {"token_url": "https://h:99999/"}, id="port"),
        pytest.param("/client_secret", {"client_secret": "very-secret"}, id="the secret itself"),
        pytest.param("/client_secret", {"client_secret": "env:INGEST_TOKEN_KEY"}, id="our own secret"),
        pytest.param("/client_id", {"client_id": "a b"}, id="client with a blank"),
        pytest.param("/scope", {"scope": 'a"b'}, id="scope with a quote"),
        pytest.param("/lead_path", {"lead_path": "/leads"}, id="no place for the lead"),
        pytest.param("/lead_path", {"lead_path": "leads/{lead_id}"}, id="no slash"),
        pytest.param("/lead_path", {"lead_path": "/leads/{lead_id"}, id="brace not closed"),
        pytest.param("/lead_path", {"lead_path": "/leads/{lead_id}/{x}"}, id="unknown placeholder"),
        pytest.param("/lead_path", {"lead_path": "/leads/{lead_id.__class__}"}, id="attribute"),
        pytest.param("/lead_path", {"lead_path": "/leads/{lead_id!r}"}, id="conversion"),
        pytest.param("/lead_path", {"lead_path": "/leads/{}"}, id="nameless"),
        pytest.param("/reconciliation/path", {"reconciliation": {"path": "/leads"}}, id="no moment"),
        pytest.param(
            "/reconciliation/interval_seconds", {"reconciliation": {"interval_seconds": 5}}, id="too often"
        ),
        pytest.param("/partner_numbers/0", {"partner_numbers": [" "]}, id="blank partner number"),
        pytest.param(
            "/notifications/header", {"notifications": {"secrets": ["env:A"], "header": "a b"}}, id="header"
        ),
        pytest.param("/notifications/secrets", {"notifications": {"secrets": []}}, id="no secret"),
        pytest.param("", {"partner_numbers": []}, id="a list for nobody"),
        pytest.param("", {"partner_numbers": ["1", "1"]}, id="twice the same"),
        pytest.param(
            "", {"notifications": None, "reconciliation": {"enabled": False}}, id="no way for any lead"
        ),
        pytest.param("/intervall", {"intervall": 5}, id="misspelt"),
    ],
)
def test_what_is_wrong_is_refused_by_its_field(pointer: str, changes: dict[str, Any]) -> None:
    with pytest.raises(Problem) as refused:
        KIND.read({**SPEC, **changes})
    assert [error.pointer for error in refused.value.errors] == [f"/spec{pointer}"]


@pytest.mark.parametrize(
    ("pointer", "name", "changes"),
    [
        pytest.param("/base_url", "main", {"base_url": "http://leadservice.example"}, id="leads in the open"),
        pytest.param("/token_url", "main", {"token_url": "http://login.example"}, id="secret in the open"),
        pytest.param("/client_secret", "main", {"client_secret": "env:BDK_UNSET"}, id="not there"),
        pytest.param(
            "/notifications/secrets/1",
            "main",
            {"notifications": {"secrets": ["env:BDK_SECRET", "file:/nonexistent"]}},
            id="second secret not there",
        ),
        pytest.param("", "a:b", {}, id="name that is no account"),
    ],
)
async def test_what_cannot_work_here_is_refused_at_apply(
    pointer: str, name: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BDK_SECRET", "very-secret")
    assert KIND.check is not None
    with pytest.raises(InvalidSpec) as refused:
        await KIND.check(None, name, spec(**changes))  # type: ignore[arg-type]
    assert refused.value.pointer == pointer


async def test_http_is_for_development(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BDK_SECRET", "very-secret")
    assert KIND_OF_DEVELOPMENT.check is not None
    plain = spec(base_url="http://127.0.0.1:9", token_url="http://127.0.0.1:9/t")
    await KIND_OF_DEVELOPMENT.check(None, "main", plain)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lead_id", "path"),
    [
        ("LS-1", "/api/crm/leads/LS-1"),
        ("a/b?c#d&e", "/api/crm/leads/a%2Fb%3Fc%23d%26e"),
        ("größe 1", "/api/crm/leads/gr%C3%B6%C3%9Fe%201"),
        ("{lead_id}", "/api/crm/leads/%7Blead_id%7D"),
    ],
)
def test_a_lead_is_asked_for_at_an_address_of_its_own(lead_id: str, path: str) -> None:
    assert addresses.of_lead(spec(), lead_id) == f"https://leadservice.example{path}"


@pytest.mark.parametrize("lead_id", ["", ".", "..", "x" * 201, "a\nb", "a\x00b"])
def test_what_would_name_another_resource_is_no_lead(lead_id: str) -> None:
    assert not addresses.usable(lead_id)


def test_a_page_is_asked_for_by_partner_moment_and_number() -> None:
    since = datetime(2026, 4, 14, 12, 0, 0, 999, tzinfo=timezone(timedelta(hours=2)))
    assert addresses.of_page(spec(base_url="https://h/"), "00 47", since, 3) == (
        "https://h/leads?partnerNumber=00%2047&changedSince=2026-04-14T10%3A00%3A00Z&page=3&size=100"
    )


def test_lists_are_asked_for_each_partner_or_for_all() -> None:
    everything = {"path": "/all?since={changed_since}"}
    assert spec(partner_numbers=["1", "2"]).listed == ("1", "2")
    assert spec(partner_numbers=[], reconciliation=everything).listed == ("",)
    assert spec(reconciliation={"enabled": False}).listed == ()
    assert spec(enabled=False).listed == ()
    assert addresses.of_page(spec(reconciliation=everything), "", datetime(2026, 1, 1, tzinfo=UTC), 0) == (
        "https://leadservice.example/api/crm/all?since=2026-01-01T00%3A00%3A00Z"
    )
