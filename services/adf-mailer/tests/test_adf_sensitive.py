"""SG1–SG151, SG208: what of a text is personal data that no mail shows, and what only looks like it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from adf_mailer.domain import sensitive, sensitive_numbers, sensitive_text, sensitive_words
from adf_mailer.domain.fixed_texts import LANGUAGES, Language, fixed_texts
from adf_mailer.domain.sensitive import KINDS, Kind, find, mask, may_hold
from adf_mailer.domain.sensitive_text import readable
from hypothesis import given, settings
from hypothesis import strategies as st

RULES = Path(__file__).parent.parent / "rules" / "guard.md"
_ROW = re.compile(r"\| (SG\d+) \| `(.+?)` \| `?(.+?)`? \|")


def rows(first: int, last: int) -> list[Any]:
    """The rows of the table in `rules/guard.md`, so that what people read is what is tested."""
    found = _ROW.findall(RULES.read_text(encoding="utf-8"))
    chosen = [row for row in found if first <= int(row[0][2:]) <= last]
    return [pytest.param(*map(_characters, row[1:]), id=row[0]) for row in chosen]


def _characters(shown: str) -> str:
    return shown.replace("⏎", "\n").replace("␣", "\u00a0").replace("∅", "\u200b")


FOUND, LEFT = rows(1, 99), rows(100, 199)


def test_the_tables_are_read_whole() -> None:
    assert [one.id for one in FOUND] == [f"SG{number}" for number in range(1, 59)]
    assert [one.id for one in LEFT] == [f"SG{number}" for number in range(100, 152)]


@pytest.mark.parametrize(("text", "masked"), FOUND)
def test_personal_data_is_masked(text: str, masked: str) -> None:
    found = mask(text)

    assert found.text == masked
    assert found.kinds
    assert may_hold(text)


@pytest.mark.parametrize(("text", "why"), LEFT)
def test_what_is_none_is_left(text: str, why: str) -> None:
    assert (mask(text).text, mask(text).kinds) == (text, frozenset())


@pytest.mark.parametrize(("text", "masked"), FOUND)
def test_in_the_middle_of_words_and_on_a_line_of_its_own(text: str, masked: str) -> None:
    for before, after in (("Hello, ", ", thanks"), ("one\n", "\ntwo"), ("(", ")")):
        assert mask(f"{before}{text}{after}").text == f"{before}{masked}{after}"


MARKS = [
    words.replace("{ending}", ending)
    for texts in fixed_texts().values()
    for key, words in texts.items()
    if key.startswith("mask_")
    for ending in ("4242", "0A9Z")
]


@pytest.mark.parametrize("mark", sorted(set(MARKS)))
def test_a_mark_stands_in_brackets_and_is_looked_into_no_more(mark: str) -> None:
    assert re.fullmatch(r"\[[^\[\]]+\]", mark)
    for text in (f"SSN {mark} 123456789", f"{mark}123456789 SSN", f"SSN\n{mark}"):
        assert find(text) == find(text.replace(mark, sensitive_text.TAKEN * len(mark)))


@pytest.mark.parametrize("language", [pytest.param(one, id=f"SG208-{one}") for one in LANGUAGES])
def test_nothing_is_found_across_a_mark_of_any_language(language: Language) -> None:
    mark = fixed_texts()[language]["mask_income"]
    once = mask("SSN wage$9k 123456789", language=language).text

    assert once == f"SSN wage{mark} 123456789"
    for other in LANGUAGES:
        assert mask(once, language=other).text is once


@pytest.mark.parametrize(
    ("kinds", "masked"),
    [
        (("ssn",), "SSN [SSN removed] card 4242424242424242"),
        (("card",), "SSN 123-45-6789 card [card number ending 4242 removed]"),
        ((), "SSN 123-45-6789 card 4242424242424242"),
    ],
    ids=str,
)
def test_only_the_kinds_that_are_asked_for(kinds: tuple[Kind, ...], masked: str) -> None:
    assert mask("SSN 123-45-6789 card 4242424242424242", kinds).text == masked


def test_the_same_text_is_given_back_where_nothing_is_found() -> None:
    text = "soft\u00adhyphen \u200b 312-555-0191, income tax 2025\r\n"

    assert mask(text).text is text


# Properties

PIECES = st.sampled_from(
    [
        *(one.values[0] for one in (*FOUND, *LEFT)),
        *(
            "SSN ",
            "card ",
            "DL ",
            "DOB ",
            "income ",
            "4242",
            " ",
            "-",
            "\n",
            ".",
            "123-45-6789",
            "[SSN removed]",
            "a",
        ),
        *MARKS,
    ]
)
TEXTS = (
    st.lists(PIECES, max_size=8).map("".join)
    | st.text(max_size=60)
    | st.text("0123456789-. \nSNDL", max_size=60)
)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sampled_from(LANGUAGES), st.sampled_from(LANGUAGES))
def test_masking_twice_changes_nothing(text: str, first: Language, second: Language) -> None:
    once = mask(text, language=first).text

    assert mask(once, language=second).text == once


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_the_quick_look_misses_nothing(text: str) -> None:
    if find(readable(text)):
        assert may_hold(text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Nd", "No", "Nl"])))
def test_text_without_digits_is_never_changed(text: str) -> None:
    assert mask(text).text is text


@settings(max_examples=200, deadline=None)
@given(st.from_regex(r"([a-z ,.!?äöü]{0,12}[0-9]{1,4}[a-z]){0,8}", fullmatch=True))
def test_short_numbers_without_the_words_are_never_changed(text: str) -> None:
    if not any(stem in text for stem in sensitive._STEMS) and not sensitive._DL.search(text):
        assert mask(text).text is text


@settings(max_examples=200, deadline=None)
@given(
    st.from_regex(r"(4[0-9]|5[1-5])[0-9]{13}", fullmatch=True),
    st.sampled_from(["", " ", "-", "\u00a0", "\u2011", " - ", ".", "\n"]),
    st.sampled_from([(4, 4, 4, 4), (16,), (8, 8), (1,) * 16]),
    st.sampled_from(["", "My card is ", "Phone 312-555-0191, ", "Call me. "]),
)
def test_a_card_is_found_in_every_layout(
    digits: str, separator: str, groups: tuple[int, ...], before: str
) -> None:
    number = digits + next(last for last in "0123456789" if sensitive_numbers._has_luhn_digit(digits + last))
    parts, done = [], 0
    for length in groups:
        parts.append(number[done : done + length])
        done += length

    masked = mask(f"{before}{separator.join(parts)} thanks").text

    assert masked == f"{before}[card number ending {number[-4:]} removed] thanks"


# Time grows with the text: no pattern can be tried in many ways, and no loop starts over.


def patterns() -> Iterator[Any]:
    for module in (sensitive, sensitive_numbers, sensitive_text, sensitive_words):
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                yield pytest.param(value, id=f"{module.__name__.rpartition('.')[2]}{name}")


@pytest.mark.parametrize("pattern", list(patterns()))
def test_every_unbounded_repetition_is_possessive(pattern: re.Pattern[str]) -> None:
    def repetitions(parsed: Any) -> Iterator[Any]:
        for operation, argument in parsed:
            if operation in (re._constants.MAX_REPEAT, re._constants.MIN_REPEAT):
                yield argument[1]
            for part in argument if isinstance(argument, tuple | list) else ():
                for one in part if isinstance(part, list) else (part,):
                    if isinstance(one, re._parser.SubPattern):
                        yield from repetitions(one)

    parsed = re._parser.parse(pattern.pattern, pattern.flags)

    assert all(int(most) <= 30 for most in repetitions(parsed))


HOSTILE = [
    *("4", "4 ", "42 4 ", "4242 ", "4242 4242 4242 4242 ", "4-", "4\u200b", "٤ ", "4   "),
    *("SSN ", "123-45-6789 ", "123456789 ", "DL ", "DL.....", "DOB on ", "income of a ", "DE89 ", "DE89"),
    *(
        "a.b+c-",
        "a",
        "aaaaaaaaaaaaaaaaaaaa:/ ",
        "550e8400-e29b-41d4-",
        "visa 42 4 42 4 ",
        "licence no ab ",
        " ",
    ),
    *("[SSN removed] ", "[card number ending ", "[usunięto numer karty kończący się na "),
]

HOSTILE_TO_PATTERNS = ("4", "a.b+c-", "DL.....")


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_text_made_to_be_slow_ends(piece: str) -> None:
    # A megabyte where nothing is found for long; where much is, a tenth says the same.
    size = 1_000_000 if piece in HOSTILE_TO_PATTERNS else 100_000
    text = piece * (size // len(piece)) + " SSN 123-45-6789"

    assert "123-45-6789" not in mask(text).text


@pytest.mark.parametrize("piece", HOSTILE)
def test_twice_the_text_is_twice_the_work(piece: str) -> None:
    assert calls(piece * 2000) <= 2.2 * calls(piece * 1000) + 200


def calls(text: str) -> int:
    """How many calls, of Python and of C, `find` makes."""
    made = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    find("warm the caches ٤ 4242 4242 4242 4242")
    sys.setprofile(count)
    try:
        find(text)
    finally:
        sys.setprofile(None)
    return made


def test_every_kind_has_a_row() -> None:
    assert frozenset[str]().union(*(mask(one.values[0]).kinds for one in FOUND)) == set(KINDS)
