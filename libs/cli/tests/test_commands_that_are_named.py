"""Every command that the runbooks, the doctor and error messages tell a person to run can be run so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from leadbus_cli.main import app

ROOT = Path(__file__).resolve().parents[3]
PLACES = (
    *sorted((ROOT / "docs" / "runbooks").glob("*.md")),
    *sorted((ROOT / "libs" / "cli" / "src").rglob("*.py")),
    *sorted((ROOT / "libs" / "common" / "src").rglob("*.py")),
)
NAMED = re.compile(r"(?:`|^\$ )leadbus ([a-z][^`\n]*)", re.MULTILINE)


def named() -> Iterator[Any]:
    for place in PLACES:
        for command in sorted(set(NAMED.findall(place.read_text("utf-8")))):
            yield pytest.param(command, id=f"{place.stem}: {command}")


def misused(written: str) -> str | None:
    """What is wrong with a command line; None: it can be called so, if it is given what it still lacks."""
    words = re.findall(r"[^\s\"]+|\"[^\"]*\"", written)
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if words and hasattr(command, "commands"):
        return f"no command {words[0]}"
    options = {name: each for each in command.params for name in (*each.opts, *each.secondary_opts)}
    room = sum(
        99 if each.nargs < 0 else each.nargs for each in command.params if each.param_type_name == "argument"
    )
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            room -= 1
        elif word not in options:
            return f"no option {word}"
        elif not options[word].is_flag:
            del words[:1]
    return "too many arguments" if room < 0 else None


@pytest.mark.parametrize("command", list(named()))
def test_it_can_be_run(command: str) -> None:
    assert misused(command) is None


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("parked lst", "no command lst"),
        ("parked list --queue normalizer.raw", "no option --queue"),
        ("parked list normalizer.raw adf-mailer.leads", "too many arguments"),
        ("doctor now", "too many arguments"),
    ],
)
def test_what_could_not_be_run_is_noticed(command: str, wrong: str) -> None:
    assert misused(command) == wrong
