"""Countries as people and forms write them, as ISO 3166-1 alpha-2. Cases CO1.. in the tests.

The table, `countries.csv`, has the three ISO codes, the names in English, French, German, Spanish and Italian
after Unicode CLDR (Unicode License V3), and other names in use. A country that is missing is one line there.
"""

from __future__ import annotations

import csv
import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from importlib import resources

_NAMES = ("en", "fr", "de", "es", "it")
_NO_LETTERS = re.compile(r"[\W_]+")
_LONGEST_CHARS = 100
_LITTLE_WORDS = frozenset(
    {"and", "et", "und", "y", "e", "ed", "the", "of", "de", "du", "des", "der", "del", "della", "di"}
)
"""Stand in a name in one spelling and are missing in the next; no two countries differ by them alone."""
_WITHOUT_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


def read_country(written: str) -> str | None:
    """The country that `written` names or codes (alpha-2, alpha-3, numeric); None where none is known.

    Capitals, accents, full stops, the order of words (`Korea, Republic of`) and little words do not matter.
    """
    if len(written) > _LONGEST_CHARS:
        return None
    return _codes().get(written.strip().upper()) or _named().get(_key(written))


@functools.cache
def _rows() -> tuple[Mapping[str, str], ...]:
    with resources.files("normalizer.domain").joinpath("countries.csv").open(encoding="utf-8") as file:
        return tuple(csv.DictReader(file))


@functools.cache
def _codes() -> Mapping[str, str]:
    codes = ((row[kind], row["alpha2"]) for row in _rows() for kind in ("alpha2", "alpha3", "numeric"))
    return {code: alpha2 for code, alpha2 in codes if code}


@functools.cache
def _named() -> Mapping[str, str]:
    return {_key(name): row["alpha2"] for row in _rows() for name in _names(row) if _key(name)}


def _names(row: Mapping[str, str]) -> Iterator[str]:
    for name in (*(row[language] for language in _NAMES), *row["also"].split(";")):
        yield name
        yield name.translate(_WITHOUT_UMLAUTS)


def _key(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name.casefold().replace(".", ""))
    letters = "".join(char for char in folded if not unicodedata.combining(char))
    words = ("saint" if word == "st" else word for word in _NO_LETTERS.sub(" ", letters).split())
    return " ".join(sorted(word for word in words if word not in _LITTLE_WORDS))
