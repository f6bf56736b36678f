"""What the documents point at exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from leadbus_cli.main import app
from typer.main import get_command

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
_METRIC = re.compile(r"`(leadbus_[a-z_]+)[`{]")
_COMMAND = re.compile(r"`leadbus ([a-z]+)(?: ([a-z][a-z-]*))?")
_PACKAGES = {"leadbus_cli", "leadbus_devstack"}


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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_metrics_and_commands_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    catalogue = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    metrics = set(re.findall(r"^## `(leadbus_\w+)`", catalogue, re.MULTILINE))
    missing = sorted(set(_METRIC.findall(text)) - metrics - _PACKAGES)
    commands: Any = get_command(app)
    for name, second in _COMMAND.findall(text):
        found = commands.commands.get(name)
        subcommands = getattr(found, "commands", None)
        if found is None or (second and subcommands is not None and second not in subcommands):
            missing.append(f"leadbus {name} {second}")
    assert missing == []
