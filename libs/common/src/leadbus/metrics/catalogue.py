"""The catalogue: every metric this process declared, by name."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, TypeVar

from leadbus.log import logger
from leadbus.metrics.labels import OTHER, Configured, Values

# Read by prometheus_client when it is imported: without it every counter has a `_created` twin.
os.environ.setdefault("PROMETHEUS_DISABLE_CREATED_SERIES", "True")

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

Allowed = Iterable[str] | type[Enum] | Configured
"""What a label may say."""

S = TypeVar("S")

_NAME = re.compile(r"leadbus_[a-z0-9_]+\Z")
_UNITS = ("_seconds", "_bytes", "_ratio", "_messages", "_rows")
_log = logger("metrics")

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)


class Declared:
    """What was declared of a metric: `values` bound its labels, `package` is where it was declared."""

    kind: str
    package: str = ""

    def __init__(self, name: str, help_: str, labels: Mapping[str, Allowed]) -> None:
        self.name = name
        self.help = help_
        self.values = {label: Values(allowed) for label, allowed in labels.items()}
        self._strangers: set[str] = set()
        self._ones: dict[tuple[tuple[str, object], ...], Any] = {}

    def bound(self, values: Mapping[str, object]) -> dict[str, str]:
        """Label values within their bounds. Raises ValueError for a label that was not declared."""
        return {label: self._bound(label, value) for label, value in values.items()}

    def _one(self, values: Mapping[str, object], series: Callable[..., S]) -> S:
        """The series of these label values; those within their bounds are worked out once."""
        key = tuple(values.items())
        if key in self._ones:
            known: S = self._ones[key]
            return known
        bounded = self.bound(values)
        one = series(**bounded)
        if OTHER not in bounded.values():
            self._ones[key] = one
        return one

    def _bound(self, label: str, value: object) -> str:
        if label not in self.values:
            raise ValueError(f"{self.name} has no label {label}")
        bounded = self.values[label].bound(value)
        if bounded == OTHER and value != OTHER and label not in self._strangers:
            # The value itself is not said: it is unknown and may be anything a stranger sent.
            self._strangers.add(label)
            _log.warning("metrics.label_outside_its_set", metric=self.name, label=label)
        return bounded


class CounterMetric(Declared):
    """Counts up. With labels: `.labels(...).inc()`."""

    kind = "counter"

    def __init__(self, name: str, help_: str, labels: Mapping[str, Allowed]) -> None:
        super().__init__(name, help_, labels)
        self._series = Counter(name, help_, tuple(labels), registry=REGISTRY)

    def labels(self, **values: object) -> Counter:
        return self._one(values, self._series.labels)

    def inc(self, amount: float = 1) -> None:
        self._series.inc(amount)


class GaugeMetric(Declared):
    """Goes up and down. With labels: `.labels(...).set(...)`."""

    kind = "gauge"

    def __init__(self, name: str, help_: str, labels: Mapping[str, Allowed]) -> None:
        super().__init__(name, help_, labels)
        self._series = Gauge(name, help_, tuple(labels), registry=REGISTRY)

    def labels(self, **values: object) -> Gauge:
        return self._one(values, self._series.labels)

    def set(self, value: float) -> None:
        self._series.set(value)

    def inc(self, amount: float = 1) -> None:
        self._series.inc(amount)

    def dec(self, amount: float = 1) -> None:
        self._series.dec(amount)


class HistogramMetric(Declared):
    """Observes a distribution. With labels: `.labels(...).observe(...)`."""

    kind = "histogram"

    def __init__(
        self, name: str, help_: str, labels: Mapping[str, Allowed], buckets: tuple[float, ...]
    ) -> None:
        super().__init__(name, help_, labels)
        self.buckets = buckets
        self._series = Histogram(name, help_, tuple(labels), registry=REGISTRY, buckets=buckets)

    def labels(self, **values: object) -> Histogram:
        return self._one(values, self._series.labels)

    def observe(self, value: float) -> None:
        self._series.observe(value)


class Catalogue(Mapping[str, Declared]):
    """Declared metrics by name."""

    def __init__(self) -> None:
        self._declared: dict[str, Declared] = {}
        self._spelled: dict[str, tuple[object, ...]] = {}

    def __getitem__(self, name: str) -> Declared:
        return self._declared[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._declared))

    def __len__(self) -> int:
        return len(self._declared)

    def declare(self, make: Callable[[], M], name: str, *spelled: object) -> M:
        """The metric `make` makes; the one there is when `name` was declared in the same words before.

        Raises ValueError for a name that breaks the rules or was declared differently.
        """
        if not _NAME.match(name):
            raise ValueError(f"{name}: names start with leadbus_ and are lower case")
        if name not in self._declared:
            self._declared[name] = made = make()
            # Two frames up is the module that declares.
            made.package = str(sys._getframe(2).f_globals["__name__"]).partition(".")[0]  # noqa: SLF001
            self._spelled[name] = spelled
        elif self._spelled[name] != spelled:
            raise ValueError(f"{name} is declared twice and differently")
        return self._declared[name]  # type: ignore[return-value]  # same words, same type


M = TypeVar("M", bound=Declared)
CATALOGUE = Catalogue()


def counter(name: str, help: str, labels: Mapping[str, Allowed] | None = None) -> CounterMetric:  # noqa: A002
    """Declare a counter; its name ends in `_total`."""
    if not name.endswith("_total"):
        raise ValueError(f"{name}: a counter's name ends in _total")
    said = _spelled(labels)
    return CATALOGUE.declare(lambda: CounterMetric(name, help, said), name, "counter", help, said)


def gauge(name: str, help: str, labels: Mapping[str, Allowed] | None = None) -> GaugeMetric:  # noqa: A002
    """Declare a gauge."""
    if name.endswith("_total"):
        raise ValueError(f"{name}: _total is for counters")
    said = _spelled(labels)
    return CATALOGUE.declare(lambda: GaugeMetric(name, help, said), name, "gauge", help, said)


def histogram(
    name: str,
    help: str,  # noqa: A002
    labels: Mapping[str, Allowed] | None = None,
    *,
    buckets: tuple[float, ...] = Histogram.DEFAULT_BUCKETS,
) -> HistogramMetric:
    """Declare a histogram; its name ends in a unit."""
    if not name.endswith(_UNITS):
        raise ValueError(f"{name}: a histogram's name ends in its unit, one of {', '.join(_UNITS)}")
    said = _spelled(labels)
    return CATALOGUE.declare(
        lambda: HistogramMetric(name, help, said, buckets), name, "histogram", help, said, buckets
    )


def exposition() -> bytes:
    """All metrics in the text format Prometheus scrapes."""
    return generate_latest(REGISTRY)


def _spelled(labels: Mapping[str, Allowed] | None) -> dict[str, Allowed]:
    return {
        label: allowed if isinstance(allowed, Configured) else tuple(allowed)
        for label, allowed in (labels or {}).items()
    }
