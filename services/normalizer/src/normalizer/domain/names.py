"""People's names from one field into parts. Cases N1.. in the README.

A name that cannot be told apart stays whole: a wrong first name in a greeting is worse than none.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from leadbus.contracts.lead import Name

from normalizer.domain.name_words import (
    AMBIGUOUS_SALUTATIONS,
    CYRILLIC_GIVEN_NAMES,
    PARTICLES,
    PLACEHOLDER_PHRASES,
    PLACEHOLDERS,
    SALUTATIONS,
    SUFFIXES,
)
from normalizer.domain.text import clean_line

_PATRONYMIC = re.compile(r"(?:вич|вна|ична|оглы|кызы|ovich|evich|ovna|evna)$", re.IGNORECASE)
_INITIALS = re.compile(r"(?:[А-ЯЁІЇЄҐ]\.){1,2}|[А-ЯЁІЇЄҐ]")
_FAMILY_FIRST_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")
_WORDS_IN_A_NAME = 8


@dataclass(frozen=True, slots=True)
class NameReading:
    """`full` as written, on one line; the parts that could be told, in the writer's own letters."""

    full: str
    salutation: str | None = None
    first: str | None = None
    middle: str | None = None
    last: str | None = None
    suffix: str | None = None
    warning: str | None = None

    @property
    def name(self) -> Name:
        """As a lead has it."""
        return Name(
            full=self.full or None,
            first=self.first,
            middle=self.middle,
            last=self.last,
            suffix=self.suffix,
            salutation=self.salutation,
        )


def read_name(first: str | None, last: str | None, whole: str | None = None) -> NameReading:
    """A name told in parts as it is told; a whole one, or one in the field of the first name, is split."""
    if first and last:
        return NameReading(whole or f"{first} {last}", first=first, last=last)
    if written := whole or first:
        return split_name(written)
    return NameReading(last, last=last) if last else NameReading("")


def split_name(written: str) -> NameReading:
    """Split one field. Warnings: `name_placeholder` (no person's name), `name_not_split`."""
    full = clean_line(written)
    if _is_placeholder(full):
        return NameReading(full, warning="name_placeholder")
    if not any(char.isalpha() for char in full) or "@" in full or len(full.split()) > _WORDS_IN_A_NAME:
        return NameReading(full, warning="name_not_split")
    family, given = _around_comma(full)
    words, suffix = _without_suffix(given.split())
    words, salutation = _without_salutation(words)
    if family is not None:
        family, family_suffix = _family(family)
        parts = _Parts(first=_first(words), middle=_rest(words), last=family)
        return _reading(full, parts, salutation, family_suffix or suffix)
    return _reading(full, _split_words(words, alone_is_last=salutation is not None), salutation, suffix)


@dataclass(frozen=True, slots=True)
class _Parts:
    first: str | None = None
    middle: str | None = None
    last: str | None = None


def _reading(full: str, parts: _Parts, salutation: str | None, suffix: str | None) -> NameReading:
    return NameReading(full, salutation, parts.first, parts.middle, parts.last, suffix)


def _is_placeholder(full: str) -> bool:
    bare = full.casefold().strip(" .-#0123456789")
    return not bare or bare in PLACEHOLDER_PHRASES or all(word in PLACEHOLDERS for word in bare.split())


def _around_comma(full: str) -> tuple[str | None, str]:
    """`Last, First` as (last, rest); a comma before a suffix is none of that kind."""
    before, comma, after = full.partition(",")
    rest = after.replace(",", " ").strip()
    if not comma or not rest or all(_key(word) in SUFFIXES for word in rest.split()):
        return None, full.replace(",", " ")
    return before.strip() or None, rest


def _family(family: str) -> tuple[str | None, str | None]:
    words, suffix = _without_suffix(family.split())
    words, _ = _without_salutation(words)
    return " ".join(words) or None, suffix


def _without_suffix(words: list[str]) -> tuple[list[str], str | None]:
    cut = len(words)
    while cut > 1 and _key(words[cut - 1]) in SUFFIXES:
        cut -= 1
    return words[:cut], " ".join(words[cut:]) or None


def _without_salutation(words: list[str]) -> tuple[list[str], str | None]:
    cut = 0
    while cut < len(words) - 1 and _is_salutation(words[cut], followed_by=len(words) - cut - 1):
        cut += 1
    return words[cut:], " ".join(words[:cut]) or None


def _is_salutation(word: str, *, followed_by: int) -> bool:
    key = _key(word)
    if key in AMBIGUOUS_SALUTATIONS:
        return word.endswith(".") and followed_by > 1
    return key in SALUTATIONS


def _split_words(words: list[str], *, alone_is_last: bool) -> _Parts:
    if len(words) == 1:
        return _Parts(last=words[0]) if alone_is_last else _alone(words[0])
    if words[0].islower() and _key(words[0]) in PARTICLES and not words[-1].islower():
        return _Parts(last=" ".join(words))
    if _is_family_first(words[0]):
        return _Parts(first=_rest(words), last=words[0])
    if len(words) == 3 and _PATRONYMIC.search(words[2]) and not _PATRONYMIC.search(words[1]):
        return _Parts(first=words[1], middle=words[2], last=words[0])
    if _is_cyrillic_family_first(words):
        return _Parts(first=words[1], middle=_rest(words[1:]), last=words[0])
    start = _start_of_last(words)
    return _Parts(words[0], " ".join(words[1:start]) or None, " ".join(words[start:]))


def _alone(word: str) -> _Parts:
    """One word: what a person types into a chat is the first name; a family-first script is left whole."""
    return _Parts() if _is_family_first(word) else _Parts(first=word)


def _start_of_last(words: list[str]) -> int:
    """Index of the first particle that stands before the family name, else of the last word."""
    start = len(words) - 1
    while start > 1 and _key(words[start - 1]) in PARTICLES:
        start -= 1
    return start


def _is_family_first(word: str) -> bool:
    return unicodedata.name(word[0], "").startswith(_FAMILY_FIRST_SCRIPTS)


def _is_cyrillic_family_first(words: list[str]) -> bool:
    """`Иванов Иван` and `Иванов И. И.`, as forms are filled in; never after a given name."""
    first, *others = words
    if _key(first) in CYRILLIC_GIVEN_NAMES or not unicodedata.name(first[0], "").startswith("CYRILLIC"):
        return False
    alone = len(others) == 1 and _key(others[0]) in CYRILLIC_GIVEN_NAMES
    return alone or (len(others) <= 2 and all(_INITIALS.fullmatch(word) for word in others))


def _first(words: list[str]) -> str | None:
    return words[0] if words else None


def _rest(words: list[str]) -> str | None:
    return " ".join(words[1:]) or None


def _key(word: str) -> str:
    return word.casefold().strip(".,'’").replace(".", "")
