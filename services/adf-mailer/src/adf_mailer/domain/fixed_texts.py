"""The words that we write into a mail ourselves, by language: `fixed_texts.toml`, as data.

English is what CRMs already look for in comments (`Call recording: …`), so it is never reworded.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal, get_args

Language = Literal["en", "de", "fr", "it", "es", "nl", "pl", "ru"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
ENGLISH: Language = "en"

_LOCALES_KEPT = 512


def label(key: str, language: Language, **places: object) -> str:
    """The words of `key`, its places in braces filled in. Raises KeyError for a key nobody wrote."""
    words = fixed_texts()[language][key]
    return words.format_map(places) if places else words


@lru_cache(_LOCALES_KEPT)
def language_of(locale: str | None) -> Language | None:
    """The language of a BCP 47 tag (`de-CH`, `fr_CA`), where the table has it."""
    primary = (locale or "").replace("_", "-").partition("-")[0].strip().lower()
    return next((language for language in LANGUAGES if language == primary), None)


def chosen(given: Language | None, locale: str | None) -> Language:
    """The route's, else that of the dealer's locale where we have its words, else English."""
    return given or language_of(locale) or ENGLISH


@cache
def fixed_texts() -> Mapping[Language, Mapping[str, str]]:
    """The whole table: language → key → words."""
    table = tomllib.loads(files("adf_mailer.domain").joinpath("fixed_texts.toml").read_text("utf-8"))
    return MappingProxyType({language: MappingProxyType(table[language]) for language in LANGUAGES})
