"""Which cases run together, and which rows come out of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.rig import Rig
from tests.bench.rounds import Case, Samples, middle, ratios, values
from tests.bench.rows import Row


@dataclass(frozen=True, slots=True)
class Group:
    """`cases` for a rig; `rows` from their samples. `scale` multiplies the number of messages.

    `prepare` gets what the rig does not have. It raises ServerMissingError where that cannot be had.
    """

    name: str
    cases: Callable[[Rig, float], Sequence[Case]]
    rows: Callable[[Samples], list[Row]]
    prepare: Callable[[], object] = lambda: None


def ratio_row(
    samples: Samples, name: str, case: str, reference: str, *, measure: str = "rate", unit: str = "messages/s"
) -> Row:
    """`case` against `reference`, the ratio from within the rounds."""
    found = ratios(samples, case, reference, measure)
    return Row(
        name,
        middle(samples, case, measure),
        unit,
        reference=middle(samples, reference, measure),
        ratio=median(found),
        spread=(min(found), max(found)),
    )


def value_row(samples: Samples, name: str, case: str, measure: str, unit: str) -> Row:
    """A median by itself."""
    found = values(samples, case, measure)
    return Row(name, median(found), unit, spread=(min(found), max(found)))


def cpu_rows(samples: Samples, case: str, roles: Mapping[str, str]) -> list[Row]:
    """CPU per message by process. `roles`: what to call each measured role."""
    return [
        value_row(samples, f"{case}_cpu_{shown}", case, f"cpu_{role}", "µs/message")
        for role, shown in roles.items()
        if f"cpu_{role}" in samples[case][0]
    ]
