"""Inbound ADF: whatever comes, drafts that make leads, or the named error; and no word is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from normalizer.domain.draft import Draft
from normalizer.domain.placing import Origin, place
from normalizer.domain.rejection import Rejection
from normalizer.sources.adf import read_all
from normalizer.sources.adf.markup import tokens

AT = datetime(2026, 4, 14, 16, 3, 5, tzinfo=UTC)
SOUND = """<?xml version="1.0" encoding="UTF-8"?>
<?adf version="1.0"?>
<adf><prospect status="new"><id sequence="1" source="Cars">77</id>
<requestdate>2026-04-14T11:03:05-05:00</requestdate>
<vehicle interest="buy" status="used"><year>2020</year><make>Dodge</make><model>Ram</model></vehicle>
<customer><contact><name part="full">Zoë Rivers</name><email>zoe@example.org</email></contact>
<comments>Still there?</comments></customer>
<vendor><vendorname>Prairie Motors</vendorname></vendor></prospect></adf>
"""


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("<>/!-?[]CDAT&;\"'= aé"), max_size=60))
def test_tokens_are_the_text(text: str) -> None:
    assert "".join(token.raw for token in tokens(text)) == text


def settle(outcomes: tuple[Draft | Rejection, ...], dealer: Any) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Draft):
            lead = place(outcome, Origin("adf", "a", AT), dealer)
            assert type(lead).model_validate_json(lead.to_json()) == lead


FRAGMENTS = st.sampled_from(
    [
        *(
            "<",
            ">",
            "</",
            "&",
            '"',
            "=",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<?",
            "?>",
            "<!DOCTYPE",
            "\x00",
            "\ud800",
        ),
        *(
            "<adf>",
            "</adf>",
            "<prospect>",
            "</prospect>",
            "<vehicle>",
            "<name part=",
            "<phone type='x' ",
            "&#x0;",
        ),
        *(
            "<x:y>",
            "<price>",
            "1e9",
            "&nbsp;",
            "“",
            "é",
            "=3D",
            "&lt;adf&gt;",
            "<id sequence=A/>",
            "<year>{{y}}",
        ),
    ]
)


@settings(max_examples=250, deadline=None)
@given(
    pieces=st.lists(st.tuples(FRAGMENTS | st.text(max_size=5), st.integers(0, 700)), max_size=6),
    cut=st.integers(0, 700),
    encoding=st.sampled_from(["utf-8", "utf-16", "latin-1"]),
    content_type=st.sampled_from(
        [None, "text/plain; charset=utf-8", "application/xml", "message/rfc822", ";", "é"]
    ),
)
def test_any_damage_is_drafts_or_a_rejection(
    pieces: Any, cut: int, encoding: str, content_type: str | None, dealer: Any
) -> None:
    document = SOUND[: -cut or None]
    for piece, where in pieces:
        document = document[:where] + piece + document[where:]
    body = document.encode(encoding, "replace")
    try:
        settle(read_all(body, content_type), dealer)
    except Rejection:
        return


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=200), content_type=st.sampled_from([None, "text/xml", "message/rfc822"]))
def test_any_bytes_are_drafts_or_a_rejection(body: bytes, content_type: str | None, dealer: Any) -> None:
    try:
        settle(read_all(body, content_type), dealer)
    except Rejection:
        return


@settings(max_examples=100, deadline=None)
@given(
    words=st.lists(st.from_regex(r"[a-z]{3,9}", fullmatch=True), min_size=1, max_size=8, unique=True),
    broken=st.sampled_from(["&", "<", "<br>", "</x>", "<zip>", "]]>", "&foo;", "<b><i></b>"]),
)
def test_no_word_of_a_mended_document_is_lost(words: list[str], broken: str) -> None:
    document = SOUND.replace("Still there?", f" {broken} ".join(words)).replace("</vendor>", "")
    (outcome,) = read_all(document.encode(), None)
    assert isinstance(outcome, Draft)
    kept = " ".join([outcome.message or "", *outcome.extras.values()])
    assert all(word in kept for word in words)
