"""The catalogue: every metric this process declared, by name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

# Read by prometheus_client when a metric is made: without it every counter has a `_created` twin.
os.environ.setdefault("PROMETHEUS_DISABLE_CREATED_SERIES", "True")

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from leadbus.log import logger
from leadbus.metrics.labels import OTHER, Configured, Values

Allowed = Iterable[str] | type[Enum] | Configured
Kind = TypeVar("Kind", Counter, Gauge, Histogram)

_NAME = re.compile(r"leadbus_[a-z0-9_]+\Z")
_UNITS = ("_seconds", "_bytes", "_ratio", "_messages", "_rows")
_log = logger("metrics")

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)


class Metric(Generic[Kind]):
    """A metric with bounded labels. Use `.labels(...)` as with prometheus_client, or the methods of
    `.plain` through `inc`, `set`, `observe` when it has no labels."""

    def __init__(self, kind: str, name: str, help_: str, labels: Mapping[str, Allowed], collector: Kind) -> None:
        self.kind = kind
        self.name = name
        self.help = help_
        self.values = {label: Values(allowed) for label, allowed in labels.items()}
        self._collector = collector
        self._strangers: set[str] = set()

    def labels(self, **values: object) -> Kind:
        """The series of these label values; a value outside its set becomes `other` and is logged once."""
        bounded = {label: self._bound(label, value) for label, value in values.items()}
        return self._collector.labels(**bounded)

    def remove(self, **values: object) -> None:
        """Forget one series (a destination that is configured no more)."""
        bounded = [self.values[label].bound(values[label]) for label in self.values]
        try:
            self._collector.remove(*bounded)
        except KeyError:
            return

    @property
    def plain(self) -> Kind:
        """The only series of a metric without labels."""
        return self._collector

    def _bound(self, label: str, value: object) -> str:
        allowed = self.values.get(label)
        if allowed is None:
            raise ValueError(f"{self.name} has no label {label}")
        bounded = allowed.bound(value)
        if bounded == OTHER and str(value) != OTHER and label not in self._strangers:
            # The value itself is not said: it is unknown and may be anything a stranger sent.
            self._strangers.add(label)
            _log.warning("metrics.label_outside_its_set", metric=self.name, label=label)
        return bounded


class CounterMetric(Metric[Counter]):
    def inc(self, amount: float = 1) -> None:
        self._collector.inc(amount)


class GaugeMetric(Metric[Gauge]):
    def set(self, value: float) -> None:
        self._collector.set(value)

    def inc(self, amount: float = 1) -> None:
        self._collector.inc(amount)

    def dec(self, amount: float = 1) -> None:
        self._collector.dec(amount)


class HistogramMetric(Metric[Histogram]):
    def observe(self, value: float) -> None:
        self._collector.observe(value)


AnyMetric = CounterMetric | GaugeMetric | HistogramMetric


@dataclass(frozen=True, slots=True)
class _Declaration:
    metric: AnyMetric
    spelled: tuple[object, ...]


_declared: dict[str, _Declaration] = {}


class Catalogue(Mapping[str, AnyMetric]):
    """Declared metrics by name, a read-only view."""

    def __getitem__(self, name: str) -> AnyMetric:
        return _declared[name].metric

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(sorted(_declared))

    def __len__(self) -> int:
        return len(_declared)


CATALOGUE = Catalogue()


def counter(name: str, help: str, labels: Mapping[str, Allowed] | None = None) -> CounterMetric:  # noqa: A002
    """Declare a counter; its name ends in `_total`."""
    if not name.endswith("_total"):
        raise ValueError(f"{name}: a counter's name ends in _total")
    return _declare(CounterMetric, Counter, "counter", name, help, labels or {}, {})


def gauge(name: str, help: str, labels: Mapping[str, Allowed] | None = None) -> GaugeMetric:  # noqa: A002
    """Declare a gauge."""
    if name.endswith("_total"):
        raise ValueError(f"{name}: _total is for counters")
    return _declare(GaugeMetric, Gauge, "gauge", name, help, labels or {}, {})


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
    return _declare(HistogramMetric, Histogram, "histogram", name, help, labels or {}, {"buckets": buckets})


def exposition() -> bytes:
    """All metrics in the text format Prometheus scrapes."""
    return generate_latest(REGISTRY)


def _declare(wrapper, collector, kind, name, help_, labels, options):  # type: ignore[no-untyped-def]
    if not _NAME.match(name):
        raise ValueError(f"{name}: names start with leadbus_ and are lower case")
    materialised = {
        label: allowed if isinstance(allowed, Configured) else tuple(allowed) for label, allowed in labels.items()
    }
    spelled = (kind, help_, tuple(materialised.items()), tuple(options.items()))
    known = _declared.get(name)
    if known is not None:
        if known.spelled != spelled:
            raise ValueError(f"{name} is declared twice and differently")
        return known.metric
    made = collector(name, help_, tuple(materialised), registry=REGISTRY, **options)
    metric = wrapper(kind, name, help_, materialised, made)
    _declared[name] = _Declaration(metric, spelled)
    return metric
