"""What stands on every mail because it is ours, whatever the lead and the route."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from adf_mailer.domain.return_path import ReturnPath


class Signer(Protocol):
    """Vouches for a mail in the name of a domain of ours."""

    def sign(self, raw: bytes, *, date: datetime) -> bytes:
        """The mail (CRLF) with its signature before it; the same arguments give the same bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Letterhead:
    """As the deployment sets it. `from_address` is the sender where a route names no other.

    `lead_link` is the template of `lead_link`: where the whole of what was cut can be read. `return_path`:
    where bounces come to, an address for each mail; without one they go to the sender.
    """

    from_address: str
    lead_link: str | None = None
    return_path: ReturnPath | None = None
    signer: Signer | None = None
