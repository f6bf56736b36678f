"""The sandbox of the BDK: logins, leads, lists and notifications, and how each of them misbehaves."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx2
import pytest
from leadbus_devstack.pytest_plugin import StartSandbox
from leadbus_devstack.sandboxes import SandboxProcess
from leadbus_devstack.sandboxes.bdk import CLIENT_ID

LEAD: dict[str, Any] = {"leadId": "LS-1", "partnerNumber": "0047110", "bdkLeadTypeId": "1e"}
SINCE = "2000-01-01T00:00:00Z"


@pytest.fixture
def bdk(sandbox: StartSandbox) -> SandboxProcess:
    return sandbox("bdk")


def login(bdk: SandboxProcess, secret: str | None = None) -> httpx2.Response:
    form = {"grant_type": "client_credentials"}
    return httpx2.post(
        f"{bdk.url}/oauth/token", data=form, auth=(CLIENT_ID, secret or bdk.secret), timeout=10
    )


def ask(bdk: SandboxProcess, path: str = "/leads/LS-1", token: str | None = None) -> httpx2.Response:
    token = token or login(bdk).json()["access_token"]
    return httpx2.get(f"{bdk.url}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=10)


def put(bdk: SandboxProcess, *leads: dict[str, Any]) -> list[int]:
    told: list[int] = bdk.ask("POST", "/leads", list(leads))
    return told


def test_who_logs_in_reads_leads(bdk: SandboxProcess) -> None:
    put(bdk, LEAD)
    assert ask(bdk).json() == LEAD
    assert ask(bdk, "/leads/LS-2").status_code == 404
    assert login(bdk, "wrong").status_code == 401
    assert ask(bdk, token="made-up").status_code == 401


def test_a_list_is_pages_of_what_changed(bdk: SandboxProcess) -> None:
    put(bdk, *({**LEAD, "leadId": f"LS-{number}"} for number in range(3)), {**LEAD, "partnerNumber": "1"})
    token = login(bdk).json()["access_token"]

    def page(number: int) -> Any:
        path = f"/leads?partnerNumber=0047110&changedSince={SINCE}&page={number}&size=2"
        return ask(bdk, path, token).json()

    first, last = page(0), page(1)
    assert [one["leadId"] for one in first["leads"]] == ["LS-0", "LS-2"]
    assert (len(last["leads"]), first["last"], last["last"]) == (0, True, True)
    assert ask(bdk, "/leads?changedSince=2100-01-01T00:00:00Z", token).json()["leads"] == []


@pytest.mark.parametrize(
    ("faults", "status"),
    [
        ({"status": 429, "retry_after": "7"}, 429),
        ({"status": 500}, 500),
        ({"forbidden_partners": ["0047110"]}, 403),
        ({"early": 1}, 404),
        ({"revoke_after": 0}, 401),
    ],
)
def test_it_refuses_when_it_is_told_to(bdk: SandboxProcess, faults: dict[str, Any], status: int) -> None:
    put(bdk, LEAD)
    token = login(bdk).json()["access_token"]
    bdk.control(**faults)
    answer = ask(bdk, token=token)
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == faults.get("retry_after")
    bdk.control()
    assert ask(bdk).json() == LEAD


@pytest.mark.parametrize("answer", ["html", "empty", "truncated", "other_lead", "no_partner"])
def test_it_says_something_else_as_often_as_it_is_told_to(bdk: SandboxProcess, answer: str) -> None:
    put(bdk, LEAD)
    bdk.control(answer=answer, times=1)
    assert ask(bdk).text != ask(bdk).text
    assert ask(bdk).json() == LEAD


def test_it_misspells_the_type(bdk: SandboxProcess) -> None:
    put(bdk, LEAD)
    bdk.control(misspelt=True)
    assert "bdkLeadTypeld" in ask(bdk).json()


def test_a_connection_is_cut_in_the_middle(bdk: SandboxProcess) -> None:
    put(bdk, LEAD)
    token = login(bdk).json()["access_token"]
    bdk.control(cut=True, times=1)
    with pytest.raises(httpx2.HTTPError):
        ask(bdk, token=token)
    assert ask(bdk).json() == LEAD


@pytest.fixture
def listener() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """Somebody who is notified: its address, and what it was told."""
    told: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", told
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_tells_of_leads_thin_or_fat_and_as_often_as_asked(bdk: SandboxProcess, listener: Any) -> None:
    url, told = listener
    bdk.ask("PUT", "/notifying", {"url": url})
    assert put(bdk, LEAD) == [202]
    headers, body = told.pop()
    assert headers["x-leadservice-secret"] == bdk.secret
    thin = json.loads(body)
    assert thin.pop("occurredAt")
    assert thin == LEAD
    bdk.ask("PUT", "/notifying", {"url": url, "kind": "fat", "proof": "hmac_sha256", "header": "X-Mac"})
    assert put(bdk, {**LEAD, "message": "?"}) == [202]
    headers, body = told.pop()
    assert json.loads(body)["message"] == "?"
    mac = hmac.new(bdk.secret.encode(), body, hashlib.sha256).hexdigest()
    assert headers["x-mac"] == f"sha256={mac}"
    assert bdk.ask("POST", "/notify", {"lead_ids": ["LS-1", "LS-7"], "copies": 2}) == [202] * 4
    assert len(told) == 4


def test_nobody_is_told_when_nobody_listens(bdk: SandboxProcess) -> None:
    assert put(bdk, LEAD) == []
    bdk.ask("PUT", "/notifying", {"url": "http://127.0.0.1:9/"})
    assert bdk.ask("POST", "/notify", {"lead_ids": ["LS-1"]}) == [0]
