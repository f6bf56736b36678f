"""The table a person reads and the file a machine reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.bench.rows import Row

_HEAD = ("row", "value", "reference", "ratio", "(min-max)", "gate", "aim", "")


def table(rows: Sequence[Row]) -> str:
    """One line per row; what missed its gate says so."""
    lines = [_HEAD, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return "\n".join(_line(cells, widths) for cells in lines)


def write(rows: Sequence[Row], path: Path) -> None:
    """A list of rows, as JSON. Rows of an earlier run that were not measured now are not kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([row.as_json() for row in rows], indent=2) + "\n")


def _cells(row: Row) -> tuple[str, ...]:
    goal = row.goal
    sign = "" if goal is None else "≤ " if goal.lower_is_better else "≥ "
    return (
        row.name,
        f"{_figure(row.value)} {row.unit}",
        "" if row.reference is None else _figure(row.reference),
        "" if row.ratio is None else _figure(row.ratio),
        "" if row.spread is None else f"({_figure(row.spread[0])}-{_figure(row.spread[1])})",
        "" if goal is None else f"{sign}{goal.gate:g}",
        "" if goal is None else f"{sign}{goal.aim:g}",
        _verdict(row),
    )


def _verdict(row: Row) -> str:
    if row.goal is None:
        return ""
    if not row.held:
        return "MISSED"
    return "held, aim reached" if row.reached else "held"


def _figure(value: float) -> str:
    if value and abs(value) < 1:
        return f"{value:.3g}"
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if at in (0, len(widths) - 1) else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((first, *rest)).rstrip()
