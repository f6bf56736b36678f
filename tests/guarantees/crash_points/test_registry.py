"""The points that the source passes are the registered ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from leadbus import checkpoint

ROOT = Path(__file__).parents[3]


def test_the_source_passes_just_the_registered_points() -> None:
    passed = {
        point
        for folder in (ROOT / "libs" / "common" / "src", ROOT / "services")
        for path in sorted(folder.rglob("*.py"))
        if "tests" not in path.relative_to(folder).parts
        for point in _passed_in(ast.parse(path.read_text("utf-8"), str(path)))
    }
    assert passed == checkpoint.POINTS.keys()


def test_nothing_outside_of_tests_looks_at_points() -> None:
    """What could install an observer could make production die."""
    observing = [
        str(path.relative_to(ROOT))
        for folder in (ROOT / "libs", ROOT / "services")
        for path in sorted(folder.rglob("*.py"))
        if "tests" not in path.relative_to(folder).parts
        for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path)))
        if isinstance(node, ast.Attribute) and node.attr == "observe" and _is_checkpoint(node.value)
    ]
    assert observing == []


def test_an_observer_sees_points_while_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(checkpoint, "_observer", None)
    checkpoint.passed("relay.claimed")
    checkpoint.observe(seen.append)
    checkpoint.passed("relay.answered")
    checkpoint.observe(None)
    checkpoint.passed("relay.removed")
    assert seen == ["relay.answered"]


def _passed_in(tree: ast.AST) -> Iterator[str]:
    """`checkpoint.passed("…")`, and `call_soon(checkpoint.passed, "…")`; names must be literals."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        words = [node.func, *node.args]
        for index, word in enumerate(words):
            if isinstance(word, ast.Attribute) and word.attr == "passed" and _is_checkpoint(word.value):
                name = words[index + 1]
                assert isinstance(name, ast.Constant), f"line {node.lineno}: not a literal"
                yield str(name.value)


def _is_checkpoint(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "checkpoint"
