"""The sandbox of VirtualExpo: what it serves, how it misbehaves, and what it remembers of its callers."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from leadbus.contracts.virtualexpo_document import Split, split
from leadbus_devstack.pytest_plugin import StartSandbox
from leadbus_devstack.sandboxes import SandboxProcess
from leadbus_devstack.sandboxes.virtualexpo_documents import document, lead


@pytest.fixture
def virtualexpo(sandbox: StartSandbox) -> SandboxProcess:
    return sandbox("virtualexpo")


def fetch(virtualexpo: SandboxProcess, key: str | None = None) -> httpx2.Response:
    return httpx2.get(f"{virtualexpo.url}/leads", params={"key": key or virtualexpo.secret}, timeout=10)


def read(answer: httpx2.Response) -> Split:
    return split(answer.content, answer.headers["content-type"])


def test_it_serves_the_leads_it_was_given(virtualexpo: SandboxProcess) -> None:
    assert read(fetch(virtualexpo)) == Split((), (), {"count": "0"})
    virtualexpo.ask("PUT", "/document", {"xml": document([lead("VX-1"), lead("VX-2", category="visit")])})
    served = read(fetch(virtualexpo))
    assert [(one.key, one.category, one.faults) for one in served.leads] == [
        ("id:VX-1", "request", ()),
        ("id:VX-2", "visit", ()),
    ]
    assert served.faults == ()


def test_it_keeps_out_who_has_no_key(virtualexpo: SandboxProcess) -> None:
    assert fetch(virtualexpo, "another").status_code == 403


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("html", "html_answer"),
        ("truncated", "truncated"),
        ("wrong_encoding", "wrong_encoding"),
        ("not_xml", "not_xml"),
        ("doctype", "xml_forbidden"),
        ("empty_body", "empty_body"),
    ],
)
def test_its_broken_documents_are_broken_as_named(
    virtualexpo: SandboxProcess, answer: str, fault: str
) -> None:
    virtualexpo.ask("PUT", "/document", {"xml": document([lead("VX-1"), lead("VX-2")])})
    virtualexpo.control(answer=answer)
    assert [one.code for one in read(fetch(virtualexpo)).faults] == [fault]


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_fault_that_was_to_show_once_shows_once(virtualexpo: SandboxProcess, status: int) -> None:
    virtualexpo.control(status=status, retry_after="60", times=1)
    answer = fetch(virtualexpo)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "60")
    assert fetch(virtualexpo).status_code == 200


def test_it_cuts_connections(virtualexpo: SandboxProcess) -> None:
    virtualexpo.control(cut_after_bytes=20)
    with pytest.raises(httpx2.RemoteProtocolError):
        fetch(virtualexpo)


def test_it_sends_as_much_as_is_wanted(virtualexpo: SandboxProcess) -> None:
    virtualexpo.control(too_large_bytes=1_000_000)
    assert len(fetch(virtualexpo).content) > 1_000_000


def test_it_remembers_who_asked_and_when(virtualexpo: SandboxProcess) -> None:
    virtualexpo.control(redirect="https://elsewhere.example/")
    fetch(virtualexpo)
    virtualexpo.control()
    fetch(virtualexpo)
    first, second = virtualexpo.requests()
    assert (first.status, second.status) == (302, 200)
    assert first.at < second.at
    assert (first.method, first.path) == ("GET", "/leads")
    virtualexpo.reset()
    assert virtualexpo.requests() == []


@pytest.mark.parametrize("wrong", [{"statsu": 500}, {"status": 200}, {"answer": "poem"}])
def test_a_fault_that_there_is_not_is_refused(virtualexpo: SandboxProcess, wrong: dict[str, Any]) -> None:
    with pytest.raises(httpx2.HTTPStatusError):
        virtualexpo.control(**wrong)
