"""What stands on every mail because it is ours, whatever the lead and the route."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Letterhead:
    """As the deployment sets it. `from_address` is the sender where a route names no other."""

    from_address: str
