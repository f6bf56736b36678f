"""One lead of the demo, from whichever source."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

Way = Literal["HTTP", "queue", "mail", "fetched", "notified"]
Pair = tuple[str, str, str]
"""A field, what it should say, and what it says."""
Says = Callable[[ElementTree.Element], Iterable[Pair]]


@dataclass(frozen=True, slots=True)
class DemoLead:
    """`body` is what its source sends or serves, `says` what the prospect in the mail has to say.

    `kind` is the source's own word for it. `dealer` is the vendor's name, `address` where the ADF goes.
    """

    source: str
    kind: str
    external_id: str
    way: Way
    media_type: str
    body: bytes
    dealer: str
    address: str
    says: Says
    permitted: bool = True
    """Whether it may be mailed at once; else not before somebody notes a permission."""

    @property
    def name(self) -> str:
        return f"{self.source} {self.kind}"
