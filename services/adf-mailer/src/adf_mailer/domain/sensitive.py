"""Personal data that has no place in a mail to a salesperson, found in free text and masked.

What each kind is, with examples and what is not one: the SG rows of `rules/guard.md`.
Time grows with the length of the text only: every pattern has bounded repetitions, or possessive ones that
start at the beginning of a run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from adf_mailer.domain import sensitive_numbers as numbers
from adf_mailer.domain import sensitive_words as words
from adf_mailer.domain.fixed_texts import ENGLISH, LANGUAGES, Language, label
from adf_mailer.domain.sensitive_numbers import Span
from adf_mailer.domain.sensitive_text import TAKEN, readable, view, without_names

Kind = Literal["ssn", "card", "licence", "iban", "birth_date", "income"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_FINDERS: tuple[tuple[Kind, str, Callable[[str], Iterator[Span]]], ...] = (
    # Each with the key of its mark (`fixed_texts`).
    # What has a checksum first: digits of an IBAN must not be taken for something else.
    ("iban", "mask_iban", words.bank_accounts),
    ("card", "mask_card", numbers.card_numbers),
    ("card", "mask_card_code", numbers.security_codes),
    ("ssn", "mask_ssn", numbers.social_security_numbers),
    ("licence", "mask_licence", words.licences),
    ("birth_date", "mask_birth_date", words.birth_dates),
    ("income", "mask_income", words.incomes),
)
_MOST_LOOKS = 4
"""What was taken may have kept something else from being seen, such as the word before it."""
_OWN_MARK = re.compile(
    # Of every language: a lead may bring what another mail had masked.
    "|".join(
        re.escape(view(label(key, language))).replace(re.escape("{ending}"), "[0-9A-Z]{4}")
        for language in LANGUAGES
        for _, key, _ in _FINDERS
    )
)


@dataclass(frozen=True, slots=True)
class Finding:
    """`start` and `end` in the readable text; `mark` is what stands there instead.

    A mark keeps what a person needs to recognise what was there.
    """

    kind: Kind
    start: int
    end: int
    mark: str


@dataclass(frozen=True, slots=True)
class Masked:
    """`text` is the text as it came where `kinds` is empty."""

    text: str
    kinds: frozenset[Kind]


def find(text: str, kinds: Collection[Kind] = KINDS, language: Language = ENGLISH) -> list[Finding]:
    """Everything of `kinds` in a readable text, in its order and without overlaps; marks in `language`."""
    viewed = _OWN_MARK.sub(lambda found: TAKEN * len(found[0]), without_names(view(text)))
    findings: list[Finding] = []
    for _ in range(_MOST_LOOKS):
        found, viewed = _found(viewed, kinds, language)
        findings += found
        if not found:
            break
    return sorted(findings, key=lambda finding: finding.start)


def _found(viewed: str, kinds: Collection[Kind], language: Language) -> tuple[list[Finding], str]:
    """What is there, and the view in which it is taken."""
    findings: list[Finding] = []
    for kind, key, finder in _FINDERS:
        if kind not in kinds:
            continue
        spans = _apart(sorted(finder(viewed), key=lambda span: (span.start, -span.end)))
        viewed = _taken(viewed, spans)
        findings += [
            Finding(kind, one.start, one.end, label(key, language, ending=one.ending)) for one in spans
        ]
    return findings, viewed


def mask(text: str, kinds: Collection[Kind] = KINDS, language: Language = ENGLISH) -> Masked:
    """`text` with marks in place of what was found; the rest without characters that nobody sees."""
    if not may_hold(text):
        return Masked(text, frozenset())
    written = readable(text)
    findings = find(written, kinds, language)
    if not findings:
        return Masked(text, frozenset())
    parts, done = [], 0
    for one in findings:
        parts += [written[done : one.start], one.mark]
        done = one.end
    return Masked("".join([*parts, written[done:]]), frozenset(one.kind for one in findings))


def _apart(spans: list[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in spans:
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def _taken(viewed: str, spans: list[Span]) -> str:
    if not spans:
        return viewed
    parts, done = [], 0
    for span in spans:
        parts += [viewed[done : span.start], TAKEN * (span.end - span.start)]
        done = span.end
    return "".join([*parts, viewed[done:]])


# A quick look, for the many texts with nothing in them.

_LEAST_CHARACTERS = len("wage 9k")
_ASCII_DIGIT = re.compile("[0-9]")
_ANY_DIGIT = re.compile(r"\d")
_LIKE_A_NUMBER = re.compile(
    # Looked for at digits only: thirteen of them, an SSN, the check digits of an IBAN.
    "[0-9](?:"
    "(?:[^0-9A-Za-z]{0,3}[0-9]){12}"
    "|[0-9]{2}[^0-9A-Za-z][0-9]{2}[^0-9A-Za-z][0-9]{4}"
    r"|[0-9](?<=\b[A-Za-z]{2}[0-9]{2})(?:[ .\-]?[A-Za-z0-9]){11}"
    ")"
)
_DL = re.compile(r"\bd\.?l\b")
_STEMS = (
    *(
        "ssn",
        "s.s.n",
        "ss#",
        "ss #",
        "ss n",
        "soc",
        "cvv",
        "cvc",
        "cvn",
        "security code",
    ),
    *(
        "prüfnummer",
        "lic",
        "cdl",
        "hrerschein",
        "permis",
        "dob",
        "d.o.b",
        "do.b",
        "d.ob",
        "birth",
        "born",
        "geb.",
        "geboren",
    ),
    *(
        "geburts",
        "nacimiento",
        "naissance",
        "né le",
        "née le",
        "income",
        "salary",
        "wage",
        "take home",
        "take-home",
    ),
    *("net pay", "gross pay", "einkommen", "gehalt", "lohn", "verdien", "ingreso", "sueldo", "salario"),
    *("i make", "i earn", "i bring"),
)


def has_number(text: str) -> bool:
    """Whether `text` has a digit, and is long enough to say of what; else nothing can be found in it."""
    if len(text) < _LEAST_CHARACTERS:
        return False
    return (_ASCII_DIGIT if text.isascii() else _ANY_DIGIT).search(text) is not None


def may_hold(text: str) -> bool:
    """Whether it is worth a closer look; no is certain."""
    if not has_number(text):
        return False
    looked = text if text.isascii() else view(readable(text))
    if _LIKE_A_NUMBER.search(looked):
        return True
    lowered = looked.lower()
    if any(stem in lowered for stem in _STEMS):
        return True
    return ("dl" in lowered or "d.l" in lowered) and _DL.search(lowered) is not None
