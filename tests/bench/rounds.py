"""Every case once, then again: what disturbs the machine for a while disturbs all of them alike."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Protocol

Sample = Mapping[str, float]
"""What one run of a case measured, by name: `rate`, `cpu_service`, ..."""
Samples = Mapping[str, Sequence[Sample]]
"""By case, one sample per round, in the order of the rounds."""


class Case(Protocol):
    """Something to measure. Each run leaves nothing behind that the next one could feel."""

    @property
    def name(self) -> str: ...
    async def run(self) -> Sample: ...


def interleaved(cases: Sequence[Case], rounds: int, told: Callable[[str], None]) -> Samples:
    """Run all cases, `rounds` times; `told` gets a line of progress per run."""
    samples: dict[str, list[Sample]] = defaultdict(list)
    for number in range(1, rounds + 1):
        for case in cases:
            sample = asyncio.run(case.run())
            samples[case.name].append(sample)
            figures = ", ".join(f"{name} {value:,.4g}" for name, value in sample.items())
            told(f"round {number}/{rounds} {case.name}: {figures}")
    return samples


def values(samples: Samples, case: str, measure: str) -> list[float]:
    return [sample[measure] for sample in samples[case]]


def middle(samples: Samples, case: str, measure: str) -> float:
    """The median over the rounds."""
    return median(values(samples, case, measure))


def ratios(samples: Samples, case: str, reference: str, measure: str) -> list[float]:
    """`case` by `reference`, each pair from one round. Raises ValueError when they ran unequally often."""
    pairs = zip(values(samples, case, measure), values(samples, reference, measure), strict=True)
    return [value / base for value, base in pairs]
