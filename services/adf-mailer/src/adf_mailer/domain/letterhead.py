"""What stands on every mail because it is ours, whatever the lead and the route."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Letterhead:
    """As the deployment sets it. `from_address` is the sender where a route names no other.

    `lead_link` is the template of `lead_link`: where the whole of what was cut can be read.
    """

    from_address: str
    lead_link: str | None = None
