"""Who gets the free slots: no destination may take them all, however much it has waiting. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol, TypeVar


class Wanting(Protocol):
    @property
    def destination(self) -> str: ...


W = TypeVar("W", bound=Wanting)


class Pool:
    """``size`` slots shared by the rule of dynamic thresholds.

    A destination may take one more slot while what it holds is small beside what is still free, so that
    a newcomer always finds one. Alone, a destination gets ``destination_share`` of the slots.
    (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998.)

    ``behind`` is its user's to set: more may wait than it has room for.
    """

    def __init__(self, size: int, *, destination_share: float) -> None:
        if size < 1 or not 0 < destination_share < 1:
            raise ValueError("a pool has at least one slot and a share between 0 and 1")
        self.size = size
        self.served_last = ""
        self.behind = True
        self._share = destination_share
        self._held: Counter[str] = Counter()

    @property
    def free(self) -> int:
        return self.size - self._held.total()

    def full(self) -> list[str]:
        """Destinations that may take no more just now."""
        return [name for name in self._held if not self._admits(name)]

    def take(self, wanting: Iterable[W]) -> list[W]:
        """Give slots in the given order to those who may have one; the taken ones must be given back."""
        taken = []
        for one in wanting:
            if self._admits(one.destination):
                self._held[one.destination] += 1
                self.served_last = one.destination
                taken.append(one)
        return taken

    def give_back(self, destination: str) -> None:
        self._held[destination] -= 1
        if self._held[destination] == 0:
            del self._held[destination]

    def _admits(self, destination: str) -> bool:
        return self._held[destination] * (1 - self._share) < self._share * self.free
