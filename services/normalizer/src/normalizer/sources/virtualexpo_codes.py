"""The words of the marketplaces' own fields, as far as they are known."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources

from leadbus.contracts.virtualexpo import Marketplace

OWN_FIELDS = ("businessCompanyType", "businessSector", "employeePosition")
"""The fields that not every marketplace has."""


@dataclass(frozen=True, slots=True)
class CodeLists:
    """By marketplace the fields that it has, and of each the words that are known; the lists are open."""

    words: Mapping[str, Mapping[str, frozenset[str]]]

    def warning(self, marketplace: Marketplace, field: str, written: str) -> str | None:
        """`field_outside_marketplace`, `code_unlisted`, or None where all is as known."""
        fields = self.words.get(marketplace, {})
        if field not in fields:
            return "field_outside_marketplace"
        return None if _word(written) in fields[field] else "code_unlisted"

    def extended(self, more: Mapping[str, Mapping[str, Iterable[str]]]) -> CodeLists:
        """These and `more` words, such as those of a subscription's settings."""
        places = {*self.words, *more}
        return CodeLists({place: _joined(self.words.get(place, {}), more.get(place, {})) for place in places})


@functools.cache
def packaged() -> CodeLists:
    """The lists that ship with this package."""
    with resources.files("normalizer.sources").joinpath("virtualexpo_codes.toml").open("rb") as file:
        return CodeLists({}).extended(tomllib.load(file))


def _joined(
    known: Mapping[str, frozenset[str]], more: Mapping[str, Iterable[str]]
) -> Mapping[str, frozenset[str]]:
    return {
        field: known.get(field, frozenset()) | {_word(word) for word in more.get(field, ())}
        for field in {*known, *more}
    }


def _word(written: str) -> str:
    return " ".join(written.split()).casefold()
