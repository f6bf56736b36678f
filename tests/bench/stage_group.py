"""Row (a): the normalizer against the bare loop and against the naive one."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.groups import Group, cpu_rows, ratio_row
from tests.bench.normalizer_drain import DrainCase, bare, normalizer
from tests.bench.rig import Rig
from tests.bench.rounds import Case, Samples
from tests.bench.rows import Row

MESSAGES = {"normalizer_stage": 6000, "reference_stage": 9000, "naive_stage": 500}
_ROLES = {"service": "process", "broker": "broker", "postgres": "postgres"}


def _cases(rig: Rig, scale: float) -> Sequence[Case]:
    counts = {name: max(200, round(number * scale)) for name, number in MESSAGES.items()}
    return [
        DrainCase("normalizer_stage", rig, lambda: normalizer(rig), counts["normalizer_stage"]),
        DrainCase("reference_stage", rig, lambda: bare(rig, "reference_stage"), counts["reference_stage"]),
        DrainCase("naive_stage", rig, lambda: bare(rig, "naive_stage"), counts["naive_stage"]),
    ]


def _rows(samples: Samples) -> list[Row]:
    return [
        ratio_row(samples, "normalizer_stage", "normalizer_stage", "reference_stage"),
        ratio_row(samples, "normalizer_stage_over_naive", "normalizer_stage", "naive_stage"),
        *(row for name in MESSAGES for row in cpu_rows(samples, name, _ROLES)),
    ]


STAGE = Group("normalizer_stage", _cases, _rows)
