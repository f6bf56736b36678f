"""The arithmetic over rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tests.bench.groups import ratio_row
from tests.bench.latency_group import percentile
from tests.bench.rounds import interleaved, middle, ratios


@dataclass
class _Case:
    name: str
    log: list[str]
    rates: list[float] = field(default_factory=lambda: [1.0, 1.0])

    async def run(self) -> Mapping[str, float]:
        self.log.append(self.name)
        return {"rate": self.rates[self.log.count(self.name) - 1]}


def test_all_cases_run_once_per_round() -> None:
    log: list[str] = []
    told: list[str] = []
    interleaved([_Case("ours", log), _Case("theirs", log)], 2, told.append)
    assert log == ["ours", "theirs", "ours", "theirs"]
    assert len(told) == 4


def test_a_ratio_is_taken_within_its_round() -> None:
    # The machine was ten times slower in the second round, for both.
    log: list[str] = []
    samples = interleaved(
        [_Case("ours", log, [500.0, 60.0, 300.0]), _Case("theirs", log, [1000.0, 100.0, 1000.0])],
        3,
        lambda _: None,
    )
    assert ratios(samples, "ours", "theirs", "rate") == [0.5, 0.6, 0.3]
    row = ratio_row(samples, "three_stages", "ours", "theirs")
    assert (row.ratio, row.spread) == (0.5, (0.3, 0.6))
    assert (row.value, row.reference) == (300.0, 1000.0)
    assert middle(samples, "ours", "rate") == 300.0


def test_cases_that_ran_unequally_often_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios({"a": [{"rate": 1.0}, {"rate": 2.0}], "b": [{"rate": 1.0}]}, "a", "b", "rate")


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1), (1, 1), (50, 50), (98.5, 99), (99, 99), (99.5, 100), (100, 100)]
)
def test_percentiles_are_values_that_occurred(percent: float, value: float) -> None:
    assert percentile(list(range(1, 101)), percent) == value


def test_the_only_value_is_every_percentile() -> None:
    assert percentile([7.0], 99) == 7.0
