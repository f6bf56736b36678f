"""Numbers that prove themselves by form or checksum: US social security numbers and payment cards.

Every function takes a view (`sensitive_text`) and looks at each place of it a bounded number of times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adf_mailer.domain.sensitive_text import TAKEN


@dataclass(frozen=True, slots=True)
class Span:
    """Where something stands, and the last characters that stay for recognising it."""

    start: int
    end: int
    ending: str = ""


_BEFORE_CHARACTERS = 48
_WORD = re.compile(r"[^\W\d]|\+")
_LABEL_END = r"[^\w\n\0]{0,3}(?:(?:no|nr|num|number|nummer|id|is)\b[^\w\n\0]{0,4}){0,2}\Z"
_LABELLED = re.compile(
    r"(?<!\w)(?:(?:stock|stk|part|order|invoice|ref|reference|lead|case|ticket|confirmation|tracking|customer|vin"
    r"|serial)(?= ?(?:no\b|nr\b|num|id\b|[#:]))"
    r"|\w{0,12}(?:kunden|auftrags|rechnungs|bestell|vertrags|fahrgestell)(?:nummer|nr)\b)" + _LABEL_END,
    re.IGNORECASE,
)
_PHONE = re.compile(
    r"(?:\+|(?<!\w)(?:(?:tele|cell|mobile?) ?)?(?:phone|fon|tel|cell|mobile?|handy|fax|call|text|ruf)"
    r"(?:nummer)?[^\w\n\0]{0,4}(?:(?:me|at|on)\b[^\w\n\0]{0,3}){0,2}" + _LABEL_END + ")",
    re.IGNORECASE,
)


def _before(pattern: re.Pattern[str], view: str, start: int) -> bool:
    words = view[max(0, start - _BEFORE_CHARACTERS) : start]
    return _WORD.search(words) is not None and pattern.search(words) is not None


# Social security numbers

_SSN_WORDS = (
    r"(?<!\w)(?:ssn\b|s\.s\.n\b|ss ?(?:#|no\b|num)|soc(?:ial)?\.? ?sec|seguro social"
    r"|social(?= ?(?:is\b|number\b|no\b|[:=#])))"
)
_NINE_DIGITS = r"(?P<number>\d(?:[-./ ]?\d){8})"
_SSN_AFTER_WORDS = re.compile(rf"{_SSN_WORDS}[^\d{TAKEN}]{{0,30}}{_NINE_DIGITS}(?!\w)", re.IGNORECASE)
_SSN_BEFORE_WORDS = re.compile(
    rf"(?<!\w){_NINE_DIGITS}(?=[^\w{TAKEN}][^\d{TAKEN}]{{0,20}}?(?:{_SSN_WORDS}|(?<!\w)social\b))",
    re.IGNORECASE,
)
_SSN_SHAPE = re.compile(r"(?<!\w)(?P<number>\d{3}(?P<separator>[-. ])\d{2}(?P=separator)\d{4})(?!\w)")
_SEPARATORS = re.compile(r"[-./ ]")


def social_security_numbers(view: str) -> Iterator[Span]:
    """3-2-4 digits with one kind of separator; any nine digits beside the words for it.

    By the SSA's rules: no area 000, 666 or 900 and above, no group 00, no serial 0000.
    """
    for pattern in (_SSN_AFTER_WORDS, _SSN_BEFORE_WORDS, _SSN_SHAPE):
        for found in pattern.finditer(view):
            if _is_issued(found["number"]) and (pattern is not _SSN_SHAPE or _stands_alone(view, found)):
                yield Span(*found.span("number"))


def _is_issued(written: str) -> bool:
    digits = _SEPARATORS.sub("", written)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


def _stands_alone(view: str, found: re.Match[str]) -> bool:
    """Not a part of a longer number, and not a phone number: a leading 0 with blanks or dots is German."""
    start, end, separator = found.start(), found.end(), found["separator"]
    if view[start - 1 : start] == separator and _is_digit_or_taken(view[start - 2 : start - 1]):
        return False
    if view[end : end + 1] == separator and _is_digit_or_taken(view[end + 1 : end + 2]):
        return False
    if separator != "-" and view[start] == "0":
        return False
    return not (_before(_LABELLED, view, start) or _before(_PHONE, view, start))


def _is_digit_or_taken(character: str) -> bool:
    return character == TAKEN or character.isdigit()


# Payment cards

_CHAIN = re.compile(r"\d++(?:[ \-.\n]{1,3}+\d++)*+")
_GROUP = re.compile(r"\d++")
_LEAST_DIGITS, _MOST_DIGITS = 13, 19
_MOST_CHARACTERS = 4 * _MOST_DIGITS
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_CARD_WORDS = re.compile(
    r"(?<!\w)(?:\w{0,12}card|visa|amex|american express|discover|maestro|debit|credit|cc|\w{0,12}karte"
    r"|tarjeta)(?!\w)[^\d\n\0]{0,20}\Z",
    re.IGNORECASE,
)
_SECURITY_CODE = re.compile(
    r"(?<!\w)(?:cv[vcn]2?|security code|(?:karten)?prüfnummer)(?!\w)[^\w\n\0]{0,3}"
    r"(?:(?:is|number|no|code)\b[^\w\n\0]{0,3})?(?P<number>\d{3,4})(?!\w)",
    re.IGNORECASE,
)
_Group = tuple[int, int]


def card_numbers(view: str) -> Iterator[Span]:
    """13 to 19 digits of a known issuer with the right check digit, in groups as cards have them.

    Beside a word for cards in any groups. Groups may stand on lines that follow each other.
    """
    for chain in _CHAIN.finditer(view):
        if chain.end() - chain.start() >= _LEAST_DIGITS:
            yield from _cards_of(view, chain)


def security_codes(view: str) -> Iterator[Span]:
    """The three or four digits beside `CVV` and the like."""
    for found in _SECURITY_CODE.finditer(view):
        yield Span(*found.span("number"))


def _cards_of(view: str, chain: re.Match[str]) -> Iterator[Span]:
    groups = _spelled_as_one([found.span() for found in _GROUP.finditer(view, *chain.span())])
    # What letters touch is a part of a VIN, a stock number or a word.
    if view[chain.end() : chain.end() + 1].isalpha():
        groups.pop()
    first = 1 if view[chain.start() - 1 : chain.start()].isalpha() else 0
    while first < len(groups):
        found = _card_from(view, groups, first)
        if found:
            yield found[0]
        first = found[1] if found else first + 1


def _spelled_as_one(groups: Sequence[_Group]) -> list[_Group]:
    """Single digits in a row are one group: `4 2 4 2 …`."""
    joined: list[_Group] = []
    run: list[_Group] = []
    for group in groups:
        if group[1] - group[0] == 1:
            run.append(group)
            continue
        joined += [*_as_one(run), group]
        run = []
    return joined + _as_one(run)


def _as_one(run: list[_Group]) -> list[_Group]:
    return [(run[0][0], run[-1][1])] if len(run) >= _LEAST_DIGITS else run


def _card_from(view: str, groups: Sequence[_Group], first: int) -> tuple[Span, int] | None:
    """The longest card that begins with group `first`, and the group behind it."""
    start, digits, lengths = groups[first][0], "", list[int]()
    if not _may_begin(view[start]):
        return None
    beside_word = _before(_CARD_WORDS, view, start)
    found = None
    for index in range(first, len(groups)):
        group_start, group_end = groups[index]
        if group_end - group_start > _MOST_CHARACTERS:
            break
        group = "".join(_GROUP.findall(view, group_start, group_end))
        digits += group
        lengths.append(len(group))
        if len(digits) > _MOST_DIGITS or not (beside_word or _may_be_grouped_as_cards(lengths)):
            break
        if len(digits) < _LEAST_DIGITS or not (_of_an_issuer(digits) and _has_luhn_digit(digits)):
            continue
        if beside_word or (_is_grouped_as_cards(lengths) and not _is_another(view, start, len(digits))):
            found = Span(start, group_end, digits[-4:]), index + 1
    return found


def _may_begin(digit: str) -> bool:
    return any(first[0] <= digit <= last[0] for first, last, _ in _ISSUERS)


def _is_another(view: str, start: int, digits: int) -> bool:
    """`+` and up to 15 digits is a phone number."""
    return (view[start - 1 : start] == "+" and digits <= 15) or _before(_LABELLED, view, start)


def _may_be_grouped_as_cards(lengths: Sequence[int]) -> bool:
    """Whether groups of these lengths may be the first ones of a card."""
    return len(lengths) == 1 or lengths[0] == 4 or tuple(lengths) == (8, 8)


def _is_grouped_as_cards(lengths: Sequence[int]) -> bool:
    if len(lengths) == 1:
        # 13 digits in one are a barcode or milliseconds sooner than one of the last such cards.
        return lengths[0] > _LEAST_DIGITS
    if tuple(lengths) in ((4, 6, 5), (4, 6, 4), (8, 8)):
        return True
    return all(length == 4 for length in lengths[:-1]) and lengths[-1] <= 4


def _has_luhn_digit(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    backwards = [int(digit) for digit in reversed(digits)]
    return (sum(backwards[::2]) + sum(_DOUBLED[digit] for digit in backwards[1::2])) % 10 == 0


_ISSUERS: tuple[tuple[str, str, frozenset[int]], ...] = (
    # First and last beginning, and the lengths that are issued: of the schemes' published ranges.
    ("4", "4", frozenset({13, 16, 19})),  # Visa
    ("51", "55", frozenset({16})),  # Mastercard
    ("2221", "2720", frozenset({16})),
    ("34", "34", frozenset({15})),  # American Express
    ("37", "37", frozenset({15})),
    ("6011", "6011", frozenset(range(16, 20))),  # Discover
    ("644", "659", frozenset(range(16, 20))),
    ("3528", "3589", frozenset(range(16, 20))),  # JCB
    ("300", "305", frozenset({14, 16})),  # Diners Club
    ("3095", "3095", frozenset({14, 16})),
    ("36", "36", frozenset({14, 16})),
    ("38", "39", frozenset({14, 16})),
    ("62", "62", frozenset(range(16, 20))),  # UnionPay
    ("5018", "5020", frozenset(range(13, 20))),  # Maestro
    ("5038", "5038", frozenset(range(13, 20))),
    ("6304", "6304", frozenset(range(13, 20))),
    ("6759", "6763", frozenset(range(13, 20))),
    ("2200", "2204", frozenset(range(16, 20))),  # Mir
    ("9792", "9792", frozenset({16})),  # Troy
)


def _of_an_issuer(digits: str) -> bool:
    return any(
        first <= digits[: len(first)] <= last and len(digits) in lengths for first, last, lengths in _ISSUERS
    )
