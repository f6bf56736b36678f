"""What holds a gate and what misses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import report
from tests.bench.rows import GOALS, Goal, Row, missed


@pytest.mark.parametrize(
    ("measured", "held", "reached"),
    [(0.44, False, False), (0.45, True, False), (0.79, True, False), (0.8, True, True)],
)
def test_more_is_better(measured: float, held: bool, reached: bool) -> None:
    row = Row("normalizer_stage", 1000, "messages/s", reference=2000, ratio=measured)
    assert (row.held, row.reached) == (held, reached)


@pytest.mark.parametrize(
    ("measured", "held", "reached"),
    [(2.01, False, False), (2.0, True, False), (1.21, True, False), (1.2, True, True)],
)
def test_less_is_better(measured: float, held: bool, reached: bool) -> None:
    row = Row("latency_p99", 20, "ms", reference=10, ratio=measured)
    assert (row.held, row.reached) == (held, reached)


def test_a_goal_is_for_the_value_where_there_is_no_ratio() -> None:
    assert not Row("memory_idle_ingest", 131, "MiB").held
    assert Row("memory_idle_ingest", 130, "MiB").held


def test_a_row_without_a_goal_is_told_and_judges_nothing() -> None:
    assert Row("codec_unit", 1e9, "µs").held


def test_every_row_with_a_ratio_has_a_gate() -> None:
    with pytest.raises(ValueError, match="no gate"):
        Row("made_up", 1, "messages/s", reference=1, ratio=1)


def test_aims_are_beyond_their_gates() -> None:
    for name, goal in GOALS.items():
        assert goal.holds(goal.aim), name


def test_the_goals_are_those_that_were_asked_for() -> None:
    told = {
        name: (goal.gate, goal.aim, goal.lower_is_better)
        for name, goal in GOALS.items()
        if not name.startswith("memory")
    }
    assert told == {
        "normalizer_stage": (0.45, 0.8, False),
        "normalizer_stage_over_naive": (10, 20, False),
        "three_stages": (0.4, 0.7, False),
        "latency_p99": (2.0, 1.2, True),
        "smtp_reused": (1.7, 2.3, False),
        "postfix_deliveries": (0.85, 0.95, False),
        "postfix_cpu": (1.2, 1.0, True),
        "postfix_sink": (0.35, 0.6, False),
        "commits_per_message": (0.03, 0.03, True),
        "statements_per_message": (0.03, 0.03, True),
        "ack_frames_per_message": (0.03, 0.03, True),
        "growth_time": (1.3, 1.1, True),
        "growth_cpu": (1.3, 1.1, True),
    }
    for service in ("ingest", "normalizer", "adf-mailer"):
        assert GOALS[f"memory_idle_{service}"] == Goal(130, 90, lower_is_better=True)
        assert GOALS[f"memory_growth_{service}"] == Goal(40, 20, lower_is_better=True)


def test_missed_names_the_rows_whose_gate_is_not_held() -> None:
    rows = [
        Row("three_stages", 1, "messages/s", reference=2, ratio=0.5),
        Row("smtp_reused", 1, "mails/s", reference=1, ratio=1.0),
        Row("codec_unit", 1, "µs"),
    ]
    assert [row.name for row in missed(rows)] == ["smtp_reused"]


def test_the_file_is_a_list_of_rows_with_exactly_the_agreed_members(tmp_path: Path) -> None:
    path = tmp_path / "new" / "bench.json"
    rows = [
        Row("normalizer_stage", 900.0, "messages/s", reference=1000.0, ratio=0.9, spread=(0.8, 1.0)),
        Row("codec_unit", 25.0, "µs"),
    ]
    report.write(rows, path)
    assert json.loads(path.read_text()) == [
        {
            "name": "normalizer_stage",
            "value": 900.0,
            "unit": "messages/s",
            "reference": 1000.0,
            "ratio": 0.9,
            "gate": 0.45,
            "aim": 0.8,
            "lower_is_better": False,
        },
        {
            "name": "codec_unit",
            "value": 25.0,
            "unit": "µs",
            "reference": None,
            "ratio": None,
            "gate": None,
            "aim": None,
            "lower_is_better": True,
        },
    ]


def test_the_table_says_what_became_of_each_gate() -> None:
    lines = report.table(
        [
            Row("three_stages", 100, "messages/s", reference=200, ratio=0.5, spread=(0.4, 0.6)),
            Row("normalizer_stage", 100, "messages/s", reference=1000, ratio=0.1),
            Row("commits_per_message", 0.01, "1/message"),
        ]
    ).splitlines()
    assert [line.split("  ")[-1].strip() for line in lines[1:]] == ["held", "MISSED", "held, aim reached"]
