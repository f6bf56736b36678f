"""What an ADF document told that the lead has no field for, so that it stands where it stood before.

The normalizer keeps such values in a lead's extras, by their path below `prospect`: `vehicle.doors`,
`vehicle.1.odometer@status`, `customer.timeframe.description`. Only a lead that came as ADF has them; what is
no ADF 1.0 (a partner's extensions) stays behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from leadbus.contracts.lead import Lead

_NUMBERED = re.compile(r"vehicle\.([0-9]{1,4})(?=[.@]|$)")
_GIVEN_AWAY = frozenset({"trade", "tradein", "tradeinvehicle", "sell", "selling"})
_MOST = 50


@dataclass(frozen=True, slots=True)
class Carried:
    """The values below `at`, by path: `odometer@status`, `finance.balance`.

    `field` is the same place by the lead's own names (`vehicles.0`), where that is known.
    """

    extras: Mapping[str, str] | None = None
    at: str = ""
    field: str | None = None

    def get(self, path: str) -> str | None:
        """The value, None where none was told."""
        return self.extras.get(self._whole(path)) if self.extras else None

    def of_field(self, path: str) -> str | None:
        """A value that was kept by the lead's own names."""
        return self.extras.get(f"{self.field}.{path}") if self.extras and self.field else None

    def word(self, path: str, words: frozenset[str]) -> str | None:
        """The value where it is one of `words`, whatever its case and joints."""
        told = self.get(path)
        if not told or (squeezed := _squeezed(told)) not in words:
            return None
        return squeezed

    def each(self, path: str) -> Iterator[Carried]:
        """Every element of that path, in document order; the value of one is `get("")`."""
        if not self.extras:
            return
        whole = self._whole(path)
        if whole in self.extras:
            yield Carried(self.extras, whole)
        for number in range(_MOST):
            if f"{whole}.{number}" in self.extras:
                yield Carried(self.extras, f"{whole}.{number}")

    def below(self, path: str) -> Carried:
        """What stands below an element."""
        return Carried(self.extras, self._whole(path)) if self.extras else self

    def _whole(self, path: str) -> str:
        joint = "" if not self.at or not path or path.startswith("@") else "."
        return f"{self.at}{joint}{path}"


NONE = Carried()


def carried(lead: Lead) -> Carried:
    """Everything that the document of `lead` told so; nothing for a lead of another source."""
    return Carried(lead.extras) if lead.source == "adf" and lead.extras else NONE


def of_vehicles(lead: Lead) -> tuple[Carried, ...]:
    """What was told so of each vehicle of `lead`; nothing where it cannot be said of which one it was."""
    told, count = carried(lead), len(lead.vehicles)
    if not told.extras:
        return (NONE,) * count
    numbers = {int(found[1]) for path in told.extras if (found := _NUMBERED.match(path))}
    if not numbers:
        sure = ("vehicle",) if count == 1 else (None,) * count
        return tuple(_of_vehicle(told, index, at) for index, at in enumerate(sure))
    # A car to be given away of which nothing is told is no vehicle of the lead: its interest alone is kept.
    blank = {number for number in numbers if told.word(f"vehicle.{number}@interest", _GIVEN_AWAY)}
    places = (number for number in range(count + len(blank)) if number not in blank)
    return tuple(_of_vehicle(told, index, f"vehicle.{next(places)}") for index in range(count))


def _of_vehicle(told: Carried, index: int, at: str | None) -> Carried:
    # A path that no value has, where it cannot be said which.
    return Carried(told.extras, at or "\0", f"vehicles.{index}")


def _squeezed(value: str) -> str:
    return re.sub(r"[\W_]", "", value.casefold())
