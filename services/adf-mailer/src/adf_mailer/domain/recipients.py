"""Who a route writes to: each address gets a mail of its own, in the form of its role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from adf_mailer.domain.route import AdfRoute

Role = Literal["lead", "copy", "notice", "alternate", "warning"]
"""`lead`: an XML Lead Address. `copy`: the same document, marked. `notice`: a mail for people to read.
`alternate`: the document to the address that stands in for one that refuses. `warning`: to the people of
`notice`, that an address refuses; it tells nobody of a lead."""
Told: TypeAlias = tuple[str, Literal["adf", "notice"]]
"""An address, and as what it has, may have, or is about to get a mail about the lead."""

ROLES: tuple[Role, ...] = ("lead", "copy", "notice", "alternate", "warning")
"""An address that stands in several places is written to once, in the first of these roles."""


@dataclass(frozen=True, slots=True)
class Recipient:
    address: str
    role: Role = "lead"

    @property
    def told(self) -> Told:
        """What stands on record once a mail was written for this one: a copy is the document as well."""
        return self.address, "notice" if self.role == "notice" else "adf"


def recipients(spec: AdfRoute) -> Iterator[Recipient]:
    """Every address of a route that is written to at once, the XML Lead Address first."""
    yield first(spec)
    yield from (Recipient(address) for address in spec.more_addresses)
    yield from (Recipient(address, "copy") for address in spec.copies)
    yield from (Recipient(address, "notice") for address in spec.notify)


def alternate(spec: AdfRoute) -> Recipient | None:
    """Who gets the lead where an XML Lead Address refuses it as no such mailbox."""
    return Recipient(spec.alternate_address, "alternate") if spec.alternate_address else None


def first(spec: AdfRoute) -> Recipient:
    """The XML Lead Address that every route has. A skip of a route is on record as this one's."""
    return Recipient(spec.address)
