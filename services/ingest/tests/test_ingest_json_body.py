"""What counts as JSON at the door, and where it says the fault is."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest.domain import json_body
from ingest.domain.refusal import Position, Reason, Refusal

DEEP = json_body.MAX_DEPTH
# Python 3.13 points at the comma, its predecessors at what follows it.
TRAILING_COMMA = Position(1, 3, 2) if sys.version_info >= (3, 13) else Position(1, 4, 3)

TAKEN = {
    "object": b'{"a": [1, 2.5e3, "x", null, true]}',
    "scalar": b'"text"',
    "byte_order_mark": b'\xef\xbb\xbf{"a": 1}',
    "half_a_surrogate_pair": rb'{"a": "\ud83d"}',
    "escaped_nul": rb'{"a": "\u0000"}',
    "number_longer_than_python_reads": b"1" * 5000,
    "exponent_beyond_a_float": b"1e999999",
    "words_that_look_like_constants_in_text": b'{"NaN": "Infinity"}',
    "same_name_in_different_objects": b'{"a": {"b": 1}, "c": {"b": 2}}',
    "as_deep_as_allowed": b"[" * DEEP + b"]" * DEEP,
    "many_brackets_side_by_side": b"[" + b",".join([b"{}"] * 500) + b"]",
    "brackets_in_text": b'"' + b"[" * 500 + b'"',
}

REFUSED = {
    "empty": (b"", Reason.NOT_JSON, Position(1, 1, 0)),
    "blank": (b" \n ", Reason.NOT_JSON, Position(2, 2, 3)),
    "cut_off": (b'{"a": ', Reason.NOT_JSON, Position(1, 7, 6)),
    "unterminated_text": (b'{"a": "b', Reason.NOT_JSON, Position(1, 7, 6)),
    "second_line": (b'{\n  "a": x\n}', Reason.NOT_JSON, Position(2, 8, 9)),
    "byte_counts_bytes_column_counts_characters": (
        '{"é":\n "ü" x}'.encode(),
        Reason.NOT_JSON,
        Position(2, 6, 13),
    ),
    "two_values": (b"{} {}", Reason.NOT_JSON, Position(1, 4, 3)),
    "trailing_comma": (b"[1,]", Reason.NOT_JSON, TRAILING_COMMA),
    "single_quotes": (b"{'a': 1}", Reason.NOT_JSON, Position(1, 2, 1)),
    "form_data": (b"name=value", Reason.NOT_JSON, Position(1, 1, 0)),
    "nan": (b'{"NaN": NaN}', Reason.NOT_JSON, Position(1, 9, 8)),
    "negative_infinity": (b'["NaN", -Infinity]', Reason.NOT_JSON, Position(1, 9, 8)),
    "control_character": (b'"a\x01"', Reason.NOT_JSON, Position(1, 3, 2)),
    "nul": (b'{"a": \x00}', Reason.NOT_JSON, Position(1, 7, 6)),
    "repeated_name": (b'{"a": 1, "a": 2}', Reason.NOT_JSON, Position(1, 10, 9)),
    "repeated_name_escaped": (b'{"a": 1,\n "\\u0061": 2}', Reason.NOT_JSON, Position(2, 2, 10)),
    "repeated_name_inside": (b'{"a": [{"b": "c", "b": 1}]}', Reason.NOT_JSON, Position(1, 19, 18)),
    "invalid_utf8": (b'{"a": "\xc3\x28"}', Reason.NOT_JSON, Position(1, 8, 7)),
    "latin1_after_mark": (b'\xef\xbb\xbf{"a":\n"\xe9"}', Reason.NOT_JSON, Position(2, 2, 10)),
    "utf16": ("{}".encode("utf-16"), Reason.NOT_JSON, Position(1, 1, 0)),
    "surrogate_in_utf8": (b'"\xed\xa0\x80"', Reason.NOT_JSON, Position(1, 2, 1)),
    "one_level_too_deep": (
        b"[" * (DEEP + 1) + b"]" * (DEEP + 1),
        Reason.TOO_DEEP,
        Position(1, DEEP + 1, DEEP),
    ),
    "a_million_brackets": (b'{"a":' * 200_000, Reason.TOO_DEEP, Position(1, 5 * DEEP + 1, 5 * DEEP)),
}


@pytest.mark.parametrize("case", TAKEN)
def test_taken(case: str) -> None:
    json_body.check(TAKEN[case])


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_its_place(case: str) -> None:
    body, reason, position = REFUSED[case]
    with pytest.raises(Refusal) as caught:
        json_body.check(body)
    assert (caught.value.reason, caught.value.position) == (reason, position)


@pytest.mark.parametrize(
    "body", [b'{"secret": secret}', b'{"secret": 1, "secret": 2}', b'"\\secret"', b"secret"]
)
def test_refusal_repeats_nothing_of_the_body(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        json_body.check(body)
    assert "secret" not in caught.value.detail


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON_VALUES, st.booleans())
def test_everything_that_json_writes_is_taken(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    json_body.check(text.encode("utf-8", "surrogatepass") if ascii_only else text.encode("utf-8", "replace"))


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\ \n01aNuI-é', max_size=60).map(str.encode))
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    refusal = refusal_of(body)
    if refusal is None:
        json.loads(body)
    else:
        assert refusal.position is not None
        assert 0 <= refusal.position.byte <= len(body)


def refusal_of(body: bytes) -> Refusal | None:
    try:
        json_body.check(body)
    except Refusal as refusal:
        return refusal
    return None
