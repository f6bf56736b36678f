"""What ingest reads of the bank's bodies: which lead, whether it is that lead, and what is new."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest.bdk import content
from ingest.bdk.content import Told, UnreadableContentError

LEAD = {
    "leadId": "LS-1",
    "partnerNumber": "0047110",
    "bdkLeadTypeId": "1e",
    "customer": {"lastName": "Ahlen"},
}


def written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param({"leadId": "LS-1"}, Told("LS-1", None, False, False), id="thin"),
        pytest.param(
            {"leadId": "LS-1", "partnerNumber": "0047110", "bdkLeadTypeld": "1e"},
            Told("LS-1", "0047110", False, False),
            id="thin with all it may say",
        ),
        pytest.param(LEAD, Told("LS-1", "0047110", False, True), id="fat"),
        pytest.param({**LEAD, "test": True}, Told("LS-1", "0047110", True, True), id="fat test"),
        pytest.param({"lead_id": 17}, Told("17", None, False, False), id="id is a number, snake case"),
        pytest.param({"leadId": " LS  1 "}, Told("LS 1", None, False, False), id="blanks around and within"),
        pytest.param(
            {"leadId": "LS-1", "customer": {"lastName": "A"}},
            Told("LS-1", None, False, False),
            id="fat without partner number is no whole lead",
        ),
    ],
)
def test_a_body_tells_of_a_lead(body: Any, told: Told) -> None:
    assert content.told(written(body)) == told
    assert content.told(b"\xef\xbb\xbf" + written(body)) == told


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html></html>",
        b'{"leadId": ""}',
        b'{"leadId": null}',
        b'{"leadId": {"a": 1}}',
        b'{"leadId": ".."}',
        b'{"leadId": "' + b"x" * 201 + b'"}',
        b'{"leadId": "LS-1"',
        '{"leadId": "LS-1", "message": "schön"}'.encode("latin-1"),
        b"[" * 100_000,
        b'{"leadId":' * 100_000,
    ],
    ids=range(14),
)
def test_a_body_without_a_lead_to_ask_for_is_told_without_its_content(body: bytes) -> None:
    with pytest.raises(UnreadableContentError) as told:
        content.told(body)
    assert "LS" not in str(told.value)


def test_the_way_it_is_written_does_not_change_what_is_said() -> None:
    other = b"""{ "customer" : {"lastName": "Ahlen"},
        "bdkLeadTypeId":"1e","partnerNumber":"0047110","leadId":"LS-1"}"""
    assert content.identity("LS-1", other) == content.identity("LS-1", written(LEAD))


@pytest.mark.parametrize(
    "change",
    [
        {"bdkLeadTypeId": "1f"},
        {"partnerNumber": 47110},
        {"message": ""},
        {"customer": {"lastName": "ahlen"}},
    ],
    ids=str,
)
def test_what_says_something_else_is_another_message(change: dict[str, Any]) -> None:
    assert content.identity("LS-1", written({**LEAD, **change})) != content.identity("LS-1", written(LEAD))


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.text() | st.floats() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda v: json.dumps(v).encode())
)
def test_any_bytes_have_a_digest_and_nothing_else_is_raised(body: bytes) -> None:
    assert content.digest(body) == content.digest(body)
    for read in (content.told, content.page):
        with contextlib.suppress(UnreadableContentError):
            read(body)


def test_a_number_that_no_reader_would_take_has_a_digest() -> None:
    assert content.digest(b"9" * 50_000) != content.digest(b"9" * 50_001)


@pytest.mark.parametrize(
    ("body", "ids", "unreadable", "last"),
    [
        pytest.param([{"leadId": "A"}, {"leadId": "B"}], ["A", "B"], 0, False, id="a list"),
        pytest.param({"leads": [{"leadId": "A"}], "last": True}, ["A"], 0, True, id="leads, last"),
        pytest.param({"content": [{"lead_id": 7}], "last": False}, ["7"], 0, False, id="content, not last"),
        pytest.param({"items": ["A", 8], "hasMore": False}, ["A", "8"], 0, True, id="ids alone"),
        pytest.param({"data": []}, [], 0, False, id="empty"),
        pytest.param(
            [{"leadId": "A"}, {"id": "B"}, None, True, ".", [], ""], ["A"], 6, False, id="some no entry"
        ),
    ],
)
def test_a_list_tells_which_leads_changed(body: Any, ids: list[str], unreadable: int, last: bool) -> None:
    page = content.page(written(body))
    assert [entry.lead_id for entry in page.entries] == ids
    assert (page.unreadable, page.last) == (unreadable, last)


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'"A"', b'{"leads": {}}', b"<html>", b"[" * 100_000])
def test_what_is_no_list_is_told(body: bytes) -> None:
    with pytest.raises(UnreadableContentError):
        content.page(body)


def test_an_entry_is_news_when_anything_that_it_says_changed() -> None:
    def digest(changed_at: str) -> bytes:
        return content.page(written([{"leadId": "A", "changedAt": changed_at}])).entries[0].digest

    assert digest("2026-04-14") == digest("2026-04-14")
    assert digest("2026-04-14") != digest("2026-04-15")
