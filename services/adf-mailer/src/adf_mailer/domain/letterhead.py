"""What stands on every mail because it is ours, whatever the lead and the route."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class Signer(Protocol):
    """Vouches for a mail in the name of a domain of ours."""

    def sign(self, raw: bytes, *, date: datetime) -> bytes:
        """The mail (CRLF) with its signature before it; the same arguments give the same bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Letterhead:
    """As the deployment sets it. `from_address` is the sender where a route names no other."""

    from_address: str
    signer: Signer | None = None
