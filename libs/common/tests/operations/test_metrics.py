"""Metrics: declared once and well named, labels bounded, the catalogue as committed, the text as scraped."""

from __future__ import annotations

import io
import json
import logging
import shutil
import subprocess
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path

import pytest
from leadbus import log, metrics
from leadbus.generated import collect, workspace_packages
from leadbus.metrics.__main__ import main as check_metrics
from leadbus.web.__main__ import main as check_problems

ROOT = Path(__file__).parents[4]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


ACTS = metrics.counter(
    "leadbus_test_acts_total", "Acts of this test.", labels={"source": ("bdk", "dms"), "colour": Colour}
)
QUEUES = metrics.gauge(
    "leadbus_test_queue_age_seconds", "Ages.", labels={"queue": metrics.configured("queues of this test", 3)}
)
TIMES = metrics.histogram("leadbus_test_act_duration_seconds", "Times.", buckets=(1, 5))


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    log.configure("tester", stream=stream)
    yield stream
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    log.unconfigured()


def value(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


def test_known_label_values_are_counted_as_they_are() -> None:
    ACTS.labels(source="bdk", colour=Colour.RED).inc()
    assert value("leadbus_test_acts_total", source="bdk", colour="red") == 1


def test_a_stranger_is_counted_as_other_and_said_once_without_its_value(written: io.StringIO) -> None:
    for stranger in ("john@example.com", "jane@example.com", "4711"):
        ACTS.labels(source=stranger, colour="red").inc()
    assert value("leadbus_test_acts_total", source="other", colour="red") == 3
    (line,) = [json.loads(said) for said in written.getvalue().splitlines()]
    assert (line["event"], line["metric"], line["label"]) == (
        "metrics.label_outside_its_set",
        "leadbus_test_acts_total",
        "source",
    )
    assert b"example.com" not in metrics.exposition()


def test_configured_labels_have_a_largest_number() -> None:
    for number in range(10):
        QUEUES.labels(queue=f"queue-{number}").set(number)
    assert value("leadbus_test_queue_age_seconds", queue="queue-2") == 2
    assert value("leadbus_test_queue_age_seconds", queue="queue-3") is None
    assert value("leadbus_test_queue_age_seconds", queue="other") == 9


def test_a_label_that_was_not_declared_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no label dealer"):
        ACTS.labels(dealer="north")


def test_the_same_words_twice_are_one_metric_and_other_words_a_mistake() -> None:
    again = metrics.gauge(
        "leadbus_test_queue_age_seconds",
        "Ages.",
        labels={"queue": metrics.configured("queues of this test", 3)},
    )
    assert again is QUEUES
    with pytest.raises(ValueError, match="declared twice"):
        metrics.gauge("leadbus_test_queue_age_seconds", "Ages!")


@pytest.mark.parametrize(
    ("declare", "name"),
    [
        (metrics.counter, "leadbus_acts"),
        (metrics.counter, "acts_total"),
        (metrics.counter, "leadbus_Acts_total"),
        (metrics.gauge, "leadbus_acts_total"),
        (metrics.histogram, "leadbus_acts"),
    ],
)
def test_names_follow_the_rules(declare, name: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=name):
        declare(name, "Acts.")


def test_counters_have_no_created_twin() -> None:
    ACTS.labels(source="bdk", colour="red").inc()
    TIMES.observe(2)
    assert b"_created" not in metrics.exposition()


def test_what_is_scraped_passes_promtool() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    collect(workspace_packages(ROOT))
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=metrics.exposition(), capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr.decode()


@pytest.mark.parametrize("check", [check_metrics, check_problems])
def test_the_committed_reference_is_what_the_code_declares(
    check: Callable[[list[str]], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert check(["check"]) == 0


def test_check_sees_a_drift(tmp_path: Path) -> None:
    stale = tmp_path / "metrics.md"
    stale.write_text("# Metrics\n")
    options = ["leadbus", "--file", str(stale)]
    assert check_metrics(["check", *options]) == 1
    assert check_metrics(["generate", *options]) == 0
    assert check_metrics(["check", *options]) == 0
    assert "## `leadbus_ready`" in stale.read_text()
    assert "leadbus_test_" not in stale.read_text()
