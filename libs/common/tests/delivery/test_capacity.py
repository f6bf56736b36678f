"""CAP: no destination takes every slot, however much it has waiting."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadbus.delivery.capacity import Pool


@dataclass(frozen=True)
class Want:
    destination: str


def wants(*names: str) -> list[Want]:
    return [Want(name) for name in names]


def test_cap1_alone_a_destination_gets_its_share() -> None:
    assert len(Pool(10, destination_share=0.5).take(wants(*"a" * 50))) == 5


def test_cap2_newcomer_finds_a_slot() -> None:
    pool = Pool(10, destination_share=0.6)
    pool.take(wants(*"a" * 50))
    pool.take(wants(*"b" * 50))
    assert pool.take(wants("c")) == wants("c")


def test_cap3_single_slot_is_given() -> None:
    pool = Pool(1, destination_share=0.5)
    assert pool.take(wants("a", "b")) == wants("a")
    pool.give_back("a")
    assert pool.take(wants("b")) == wants("b")


def test_cap4_full_names_those_who_wait_for_others() -> None:
    pool = Pool(10, destination_share=0.5)
    pool.take(wants("a", "a", "a", "a", "a", "b"))
    assert pool.full() == ["a"]
    for _ in range(3):
        pool.give_back("a")
    assert pool.full() == []


@pytest.mark.parametrize(("size", "share"), [(0, 0.5), (3, 0.0), (3, 1.0)])
def test_cap5_impossible_pools_are_refused(size: int, share: float) -> None:
    with pytest.raises(ValueError):
        Pool(size, destination_share=share)


@given(
    size=st.integers(1, 30),
    share=st.floats(0.1, 0.9),
    asked=st.lists(st.sampled_from("abcdef"), max_size=200),
    returns=st.lists(st.sampled_from("abcdef"), max_size=50),
)
def test_cap6_never_more_than_there_are_and_all_come_back(
    size: int, share: float, asked: list[str], returns: list[str]
) -> None:
    pool = Pool(size, destination_share=share)
    held = Counter(want.destination for want in pool.take(wants(*asked)))
    for name in returns:
        if held[name]:
            held[name] -= 1
            pool.give_back(name)
    held.update(want.destination for want in pool.take(wants(*asked)))
    assert held.total() + pool.free == size
    assert pool.free >= 0
    for name in list(held.elements()):
        pool.give_back(name)
    assert pool.free == size
    assert not asked or pool.take(wants(asked[0])), "an empty pool refuses nobody"
