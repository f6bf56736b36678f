"""Printing: tables for people, JSON for programs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from unicodedata import category

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many.")]

# Wide enough that no id is cut when the output goes into a file or another program.
_PIPED_COLUMNS = 240


def console() -> Console:
    """Where text for people goes."""
    width = None if sys.stdout.isatty() else _PIPED_COLUMNS
    return Console(width=width, highlight=False, soft_wrap=False)


def say(line: str) -> None:
    """One line of text, as it is."""
    sys.stdout.write(f"{plain(line)}\n")


def heading(line: str) -> None:
    """A line with an empty one before it."""
    sys.stdout.write("\n")
    say(line)


def complain(line: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"leadbus: {plain(line)}\n")


def hush_libraries() -> None:
    """What the AMQP client logs, it also raises: a person reads it once."""
    logging.getLogger("aiormq").setLevel(logging.CRITICAL + 1)


def print_json(value: Any) -> None:
    """One JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_body(body: bytes, of: Mapping[str, Any], *, as_json: bool) -> None:
    """A message byte for byte, or as part of the JSON of what it is the body of."""
    if as_json:
        print_json({**of, "body": body.decode("utf-8", "backslashreplace")})
        return
    sys.stdout.buffer.write(body)
    sys.stdout.flush()


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, indent: str = "") -> None:
    """Rows by column name; ids are never cut."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(shown(row.get(column))) for column in columns))
    console().print(Padding(drawn, (0, 0, 0, len(indent)), expand=False))


def listing(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """A list: as ``{"items": [...]}`` or as a table that says when it is empty."""
    found = list(rows)
    if as_json:
        print_json({"items": found})
    elif found:
        table(found, columns)
    else:
        say("none")


def facts(values: Mapping[str, Any], *, indent: str = "") -> None:
    """One fact a line, absent ones left out."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        if value not in (None, "", [], {}):
            say(f"{indent}{name.replace('_', ' '):<{width}}  {shown(value)}")


def shown(value: Any) -> str:
    """A value in one line."""
    if value in (None, [], {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping | list):
        return plain(json.dumps(value, ensure_ascii=False))
    return plain(_moment(str(value)))


def plain(text: str) -> str:
    """Without what a terminal would obey: other people's text must not move our cursor."""
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    # Line ends and tabs are no separators (Zs), they move the cursor.
    return " " if category(character) == "Zs" else "\N{REPLACEMENT CHARACTER}"


def _moment(text: str) -> str:
    """Times to the second; everything else as it is."""
    if len(text) < len("2026-01-01T00:00:00Z") or text[4:5] != "-" or text[10:11] != "T":
        return text
    try:
        return datetime.fromisoformat(text).isoformat(sep=" ", timespec="seconds")
    except ValueError:
        return text
