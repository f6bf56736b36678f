"""`docs/guarantees.md` names every test of this suite, and only tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
_NAMED = sorted(set(re.findall(r"`((?:tests|libs|services)/[\w./-]+\.py)(?:::(\w+))?`", PAGE)))
_TESTS = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
SUITE = sorted(path.relative_to(ROOT) for path in (ROOT / "tests" / "guarantees").rglob("test_*.py"))


@pytest.mark.parametrize(("path", "test"), _NAMED, ids=map("::".join, _NAMED))
def test_what_is_named_exists(path: str, test: str) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    assert not test or test in _TESTS.findall(source)


@pytest.mark.parametrize("path", SUITE, ids=str)
def test_every_file_of_the_suite_is_named(path: Path) -> None:
    named = {test for file, test in _NAMED if file == str(path)}
    assert named, f"docs/guarantees.md does not say which promise {path} is about"


def test_every_promise_has_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "what strikes" not in line]
    lacking = [
        row for row in rows[rows.index(_FIRST_STRIKE) :] if not re.search(r"`(tests|libs|services)/", row)
    ]
    assert lacking == []


_FIRST_STRIKE = next(
    line for line in PAGE.partition("| what strikes")[2].splitlines() if line.startswith("| ")
)
