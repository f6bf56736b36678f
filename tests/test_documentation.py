"""What the documents point at exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path
    for folder in (".", "docs", "libs", "services", "examples")
    for path in (ROOT / folder).glob("*.md" if folder == "." else "**/*.md")
    if "node_modules" not in path.parts
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
_PATH = re.compile(r"`((?:libs|services|tests|docs|examples|scripts)/[\w./-]+)`")
_TARGET = re.compile(r"`?make ([a-z][a-z-]+)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_paths_and_make_targets_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = {link for link in _LINK.findall(text) if not re.match(r"[a-z]+:", link)}
    missing = [link for link in sorted(links) if not (document.parent / link).exists()]
    places = (ROOT, document.parent)
    missing += [
        path
        for path in sorted(set(_PATH.findall(text)))
        if not any((place / path).exists() for place in places)
    ]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    missing += [f"make {target}" for target in sorted(set(_TARGET.findall(text)) - targets)]
    assert missing == []
