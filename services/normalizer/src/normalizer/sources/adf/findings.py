"""What a reading finds beside the lead's fields: doubts, and values without a field."""

from __future__ import annotations

import json
from collections.abc import Iterable

from leadbus.contracts.lead import Warning_

from normalizer.domain.text import clean
from normalizer.sources.adf.words import is_template

_ENTRIES = 300
_NAMES_CHARS = 20_000
_WARNINGS = 100
FOLDED = "adf.further"
"""Key of extras under which values stand together, as JSON, when they are too many to stand alone."""


class Findings:
    """Collects warnings, which never quote a value, and extras."""

    def __init__(self) -> None:
        self.warnings: list[Warning_] = []
        self.extras: dict[str, str] = {}

    def warn(self, code: str | None, field: str, detail: str | None = None) -> None:
        """No code, no warning; of a hundred the rest is counted by nobody."""
        if code is not None and len(self.warnings) < _WARNINGS:
            self.warnings.append(Warning_(code=code, field=field, detail=detail))

    def keep(self, path: str, value: str | None) -> None:
        """Under `path`, or under the next free `path.1`, `path.2`."""
        text = clean(value or "")
        if not text or self.extras.get(path) == text:
            return
        place, free = 0, path
        while free in self.extras:
            place += 1
            free = f"{path}.{place}"
        self.extras[free] = text

    def keep_all(self, leftovers: Iterable[tuple[str, str]]) -> None:
        """Each by its path; together under one key when they would make a small message a large lead."""
        entries: list[tuple[str, str]] = []
        rest: list[tuple[str, str]] = []
        chars = 0
        for path, value in leftovers:
            chars += len(path)
            if len(entries) < _ENTRIES and chars <= _NAMES_CHARS:
                entries.append((path, value))
            else:
                rest.append((path.rpartition(".")[2][:100], value))
        for path, value in entries:
            self.keep(path, value)
            if is_template(value):
                # A path's names may be a sender's own; those that are not ADF's say nothing of persons.
                self.warn("template_unrendered", "extras", None)
        if rest:
            self.keep(FOLDED, json.dumps(rest, ensure_ascii=False, separators=(",", ":")))
