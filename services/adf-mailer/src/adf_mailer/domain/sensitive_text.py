"""Text as a person reads it, to look for personal data in: hidden characters gone, look-alikes as ASCII."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from adf_mailer.domain import text

TAKEN = "\0"
"""Stands in a view where something was found already. No lead holds it, and nothing is found across it."""

_UNSEEN = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
_NOT_ASCII = re.compile("[^\0-\x7f]")
_DOTS = frozenset("·•․‧∙⋅。．｡")
_DASHES = frozenset("−⁃‐‑")
_QUOTES = frozenset("‘’‚‛′´＇")
_READ_AS = {"ı": "i"}
# A run of an e-mail address's characters is looked at from its beginning only, or time would be quadratic.
_APART = re.compile(
    r"[A-Za-z][A-Za-z0-9+.\-]{0,20}+://[!-~]++"
    r"|(?<!\w)www\.[!-~]++"
    r"|(?<![\w.+\-])[\w.+\-]++@[\w.\-]++"
    r"|(?<!\w)[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?!\w)"
)


def readable(value: str) -> str:
    """Without what nobody sees (controls, zero-width and direction characters) and with LF as line ends."""
    if value.isascii() and value.isprintable():
        return value
    return _UNSEEN.sub("", text.block(value))


def view(value: str) -> str:
    """As long as `value`: digits, blanks, dashes, dots and quotes of every script as those of ASCII."""
    return value if value.isascii() else _NOT_ASCII.sub(lambda found: _ascii(found[0]), value)


def without_names(viewed: str) -> str:
    """As long as `viewed`: letters in place of links, e-mail addresses and UUIDs."""
    return _APART.sub(lambda found: "x" * len(found[0]), viewed)


@lru_cache(4096)
def _ascii(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category == "Pd" or character in _DASHES:
        return "-"
    if character in _DOTS:
        return "."
    if character in _QUOTES:
        return "'"
    # Full-width, circled, raised: those that are one character of ASCII to a reader.
    plain = _READ_AS.get(character) or unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 and " " <= plain <= "~" else character
