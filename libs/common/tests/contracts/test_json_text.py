"""Halves of surrogate pairs in JSON, and nothing else, become U+FFFD."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadbus.contracts.json_text import without_half_pairs

CASES = {
    "first_half": (rb'"a\ud83db"', rb'"a\ufffdb"'),
    "second_half": (rb'"\uDE97"', rb'"\ufffd"'),
    "halves_in_the_wrong_order": (rb'"\ude97\ud83d"', rb'"\ufffd\ufffd"'),
    "first_half_before_a_pair": (rb'"\ud83d\ud83d\ude97"', rb'"\ufffd\ud83d\ude97"'),
    "in_a_name": (rb'{"\ud83d": 1}', rb'{"\ufffd": 1}'),
    "after_an_escaped_backslash": (rb'"\\\ud83d"', rb'"\\\ufffd"'),
}
UNTOUCHED = {
    "pair": rb'"\ud83d\ude97"',
    "backslash_and_letters": rb'"\\ud83d"',
    "other_escapes": rb'"\u00e9\n\"\\"',
    "no_escape": b'"ud83d"',
    "cut_off": rb'"\ud8',
}


@pytest.mark.parametrize("case", CASES)
def test_a_half_is_replaced(case: str) -> None:
    body, mended = CASES[case]
    assert without_half_pairs(body) == mended


@pytest.mark.parametrize("case", UNTOUCHED)
def test_everything_else_stays(case: str) -> None:
    assert without_half_pairs(UNTOUCHED[case]) is UNTOUCHED[case]


TEXT = st.text(st.characters(codec=None) | st.sampled_from("\\ud83d\ude97u8"))


@given(st.dictionaries(TEXT, TEXT | st.lists(TEXT)))
def test_what_comes_out_can_be_written_as_utf8_and_says_the_same(value: Any) -> None:
    mended = json.loads(without_half_pairs(json.dumps(value).encode()))
    text = json.dumps(value, ensure_ascii=False)
    assert mended == json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
