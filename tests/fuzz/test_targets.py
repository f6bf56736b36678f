"""The fuzzer's targets in the suite: they read their seeds, and notice a reader that breaks its promise."""

from __future__ import annotations

from typing import Any

import pytest
from normalizer.sources import adf

from tests.fuzz.targets import TARGETS

SEEDS = [(name, number) for name, target in TARGETS.items() for number in range(len(target.seeds))]


@pytest.mark.parametrize(("name", "number"), SEEDS)
def test_a_seed_is_read(name: str, number: int) -> None:
    TARGETS[name].read(TARGETS[name].seeds[number])


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_cut_anywhere_is_read_or_refused(name: str) -> None:
    target = TARGETS[name]
    seed = max(target.seeds, key=len)
    for end in range(0, len(seed), 97):
        target.read(seed[:end])


def test_a_lost_prospect_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    two = next(seed for seed in TARGETS["adf"].seeds if seed.count(b"<prospect") > 1)
    read_all = adf.read_all

    def read_but_one(body: bytes, content_type: str | None) -> Any:
        return read_all(body, content_type)[:1]

    monkeypatch.setattr(adf, "read_all", read_but_one)
    with pytest.raises(AssertionError, match="got lost"):
        TARGETS["adf"].read(two)


def test_any_other_error_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_body: bytes, _content_type: str | None) -> Any:
        raise KeyError("model")

    monkeypatch.setattr(adf, "read_all", broken)
    with pytest.raises(KeyError):
        TARGETS["adf"].read(b"<adf/>")
