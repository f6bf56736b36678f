"""Rows of the report, what each has to keep (gate) and what it is to reach (aim)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """`gate` fails the run when it is missed; `aim` is only told."""

    gate: float
    aim: float
    lower_is_better: bool = False

    def holds(self, measured: float) -> bool:
        return self._better_or_equal(measured, self.gate)

    def reached(self, measured: float) -> bool:
        return self._better_or_equal(measured, self.aim)

    def _better_or_equal(self, measured: float, wanted: float) -> bool:
        return measured <= wanted if self.lower_is_better else measured >= wanted


def _at_most(gate: float, aim: float) -> Goal:
    return Goal(gate, aim, lower_is_better=True)


SERVICES = ("ingest", "normalizer", "adf-mailer")
GOALS: Mapping[str, Goal] = MappingProxyType(
    {
        "normalizer_stage": Goal(0.45, 0.8),
        "normalizer_stage_over_naive": Goal(10, 20),
        "three_stages": Goal(0.40, 0.7),
        "latency_p99": _at_most(2.0, 1.2),
        "smtp_reused": Goal(1.7, 2.3),
        "postfix_deliveries": Goal(0.85, 0.95),
        "postfix_cpu": _at_most(1.2, 1.0),
        "postfix_sink": Goal(0.35, 0.6),
        "commits_per_message": _at_most(0.03, 0.03),
        "statements_per_message": _at_most(0.03, 0.03),
        "ack_frames_per_message": _at_most(0.03, 0.03),
        "growth_time": _at_most(1.3, 1.1),
        "growth_cpu": _at_most(1.3, 1.1),
        **{f"memory_idle_{service}": _at_most(130, 90) for service in SERVICES},
        **{f"memory_growth_{service}": _at_most(40, 20) for service in SERVICES},
    }
)
"""By row. A goal is for the row's ratio, or for its value where the row has none."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `value` and `reference` are in `unit`; `ratio` is the median of those within each round.

    `spread` is the smallest and largest of what `measured` is the median of.
    """

    name: str
    value: float
    unit: str
    reference: float | None = None
    ratio: float | None = None
    spread: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.ratio is not None and self.goal is None:
            raise ValueError(f"{self.name} has a ratio and no gate")

    @property
    def goal(self) -> Goal | None:
        return GOALS.get(self.name)

    @property
    def measured(self) -> float:
        """What the goal is about."""
        return self.value if self.ratio is None else self.ratio

    @property
    def held(self) -> bool:
        return self.goal is None or self.goal.holds(self.measured)

    @property
    def reached(self) -> bool:
        return self.goal is None or self.goal.reached(self.measured)

    def as_json(self) -> dict[str, Any]:
        goal = self.goal
        told = {name: value for name, value in asdict(self).items() if name != "spread"}
        return told | {
            "gate": goal and goal.gate,
            "aim": goal and goal.aim,
            "lower_is_better": bool(goal and goal.lower_is_better) or not self.unit.endswith("/s"),
        }


def missed(rows: list[Row]) -> list[Row]:
    """Those whose gate is not held."""
    return [row for row in rows if not row.held]
