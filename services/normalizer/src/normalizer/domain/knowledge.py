"""What a source learns of a lead beside the lead itself: where the visitor came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from leadbus.contracts.attribution import Attribution
from leadbus.contracts.lead import Warning_

PARAMETERS: tuple[str, ...] = tuple(name for name in Attribution.model_fields if name != "known_at")
"""Keys of the parameters that an attribution holds, in the tracker's order."""


@dataclass(frozen=True, slots=True)
class Told:
    """One parameter's value, and since when the source holds it true where it says so."""

    value: str
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Knowledge:
    """A reading of one raw message that tells no lead, but more about one that may not be here yet.

    `issuer` and `external_id` name the lead as a `Draft` does. Keys of `parameters` are among `PARAMETERS`,
    and no value is blank.
    """

    external_id: str
    issuer: str | None = None
    parameters: Mapping[str, Told] = field(default_factory=dict)
    extras: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Warning_, ...] = ()
    test: bool = False
