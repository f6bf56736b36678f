"""Who a route writes to: each address gets a mail of its own, in the form of its role."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
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


_ASIDE: frozenset[Role] = frozenset({"copy", "notice", "warning"})


@dataclass(frozen=True, slots=True)
class Recipient:
    """`target` is its place in the route, which the ledger keeps it under: `copies.1`; empty for `address`.

    Who stands in for another one has that one's. It makes nobody another recipient.
    """

    address: str
    role: Role = "lead"
    target: str = field(default="", compare=False)

    @property
    def aside(self) -> bool:
        """Whether the dealer's CRM has the lead does not depend on this one's mail."""
        return self.role in _ASIDE

    @property
    def told(self) -> Told:
        """What stands on record once a mail was written for this one: a copy is the document as well."""
        return self.address, "notice" if self.role == "notice" else "adf"


def recipients(spec: AdfRoute) -> Iterator[Recipient]:
    """Every address of a route that is written to at once, the XML Lead Address first."""
    yield first(spec)
    yield from _each(spec.more_addresses, "lead", "more_addresses")
    yield from _each(spec.copies, "copy", "copies")
    yield from _each(spec.notify, "notice", "notify")


def warned_people(spec: AdfRoute) -> Iterator[Recipient]:
    """The people of `notify`, for a mail that is about no lead of theirs."""
    yield from _each(spec.notify, "warning", "warning")


def alternate(spec: AdfRoute) -> Recipient | None:
    """Who gets the lead where an XML Lead Address refuses it as no such mailbox."""
    return Recipient(spec.alternate_address, "alternate") if spec.alternate_address else None


def in_place_of(refused: Recipient, other: Recipient) -> Recipient:
    """`other`, whose mail says of the lead what that of `refused` would have said."""
    return replace(other, target=refused.target)


def first(spec: AdfRoute) -> Recipient:
    """The XML Lead Address that every route has. A skip of a route is on record as this one's."""
    return Recipient(spec.address)


def _each(addresses: Sequence[str], role: Role, name: str) -> Iterator[Recipient]:
    for place, address in enumerate(addresses, start=1):
        yield Recipient(address, role, f"{name}.{place}")
