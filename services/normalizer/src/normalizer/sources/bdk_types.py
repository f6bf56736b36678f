"""The lead types of the BDK Leadservice: bdk_types.toml as values, and own readings over it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from types import MappingProxyType
from typing import Annotated, Any, Literal

from leadbus.contracts.vocabulary import Channel, ConsentBasis, FinanceProduct, Intent, Precheck, Urgency
from pydantic import AfterValidator, BaseModel, ConfigDict

Trigger = Literal["connected_system", "bank", "contract_expiry", "unknown"]
"""What made the bank speak up: a lead system was used, somebody turned to the bank, a contract ends."""

_FORM = re.compile(r"(?P<family>[0-9]{1,9})[a-z]")
_MOST_URGENT: tuple[Urgency, ...] = ("normal", "high", "highest")
_PRODUCTS: Mapping[FinanceProduct, Intent] = {
    "cash": "cash",
    "financing": "financing",
    "leasing": "leasing",
}


def _compiled(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error:
        raise ValueError("no regular expression") from None
    return pattern


_Pattern = Annotated[str, AfterValidator(_compiled)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Readings(_Row):
    """How urgent the title reads, and how urgent the description."""

    title: Urgency = "normal"
    description: Urgency = "normal"

    @property
    def more_urgent(self) -> Urgency:
        """The one that counts."""
        return max(self.title, self.description, key=_MOST_URGENT.index)


class Family(_Row):
    """What the types of one number have in common."""

    origin: str = "unknown"
    """The lead system."""
    sender: str | None = None
    """Address that its mails come from; three families share one."""
    trigger: Trigger = "unknown"
    """What made the bank speak up."""
    channel: Channel = "unknown"
    """How the person came."""
    consent: ConsentBasis = "request"
    """On what ground the person may be contacted."""
    mail: _Pattern | None = None
    """What a mail's subject says of any type of the family: a regular expression on lower-case text."""


class LeadType(Family):
    """One `bdkLeadTypeId` with everything that it says. Facets are read from the title."""

    id: str
    """As `1a`; of a type that the table does not know whatever was written."""
    known: bool = True
    """Whether the table has it."""
    title: str | None = None
    """The provider's name of it."""
    title_en: str | None = None
    """The same in English."""
    test_drive: bool = False
    """A test drive is wished for."""
    callback: bool = False
    """A call back is wished for."""
    reservation: bool = False
    """The vehicle is to be held."""
    precheck: Precheck = "not_stated"
    """What a credit check beforehand said; a likelihood, never an approval. Sensitive."""
    product: FinanceProduct | None = None
    """How the person means to pay."""
    customer: Literal["new", "existing"] | None = None
    """Whether the bank knows the person."""
    contract_expiry: bool = False
    """A contract ends; nobody asked for anything."""
    campaign: bool = False
    """A campaign of the dealer brought it."""
    configurator: bool = False
    """A car was configured."""
    new_car: bool = False
    """It is about a new car."""
    hints: tuple[str, ...] = ()
    """What the description says beyond the title, or against it."""
    ambiguous: bool = False
    """Title and description disagree."""
    urgency: Readings = Readings()
    """Both readings."""

    @property
    def family(self) -> str | None:
        """The number that the id begins with."""
        return _family_of(self.id)

    @property
    def intents(self) -> tuple[Intent, ...]:
        """What the person wants; of an expiring contract nothing, so that it is no inquiry."""
        if self.contract_expiry:
            return ("contract_expiry",)
        wishes: tuple[tuple[bool, Intent], ...] = (
            (self.test_drive, "test_drive"),
            (self.callback, "callback"),
            (self.reservation, "reservation"),
            (self.campaign, "campaign"),
            (self.configurator, "configuration"),
        )
        product = _PRODUCTS.get(self.product) if self.product else None
        return ("inquiry", *(intent for wished, intent in wishes if wished), *((product,) if product else ()))


class _Table(_Row):
    families: Mapping[str, Family]
    types: Mapping[str, LeadType]


@dataclass(frozen=True, slots=True)
class LeadTypes:
    """Families by number and types by id."""

    families: Mapping[str, Family]
    types: Mapping[str, LeadType]

    def read(self, written: str) -> LeadType:
        """The type that an id as written means; of one that is not in the table what its family says.

        Surrounding blanks and capitals do not matter. `known` is false for what the table does not have,
        whether or not it looks like an id.
        """
        type_id = normalized(written)
        known = self.types.get(type_id)
        if known is not None:
            return known
        family = self.families.get(_family_of(type_id) or "", Family())
        return LeadType(**family.model_dump(exclude={"mail"}), id=type_id, known=False)

    def of_sender(self, address: str) -> tuple[str, ...]:
        """Numbers of the families whose mails come from `address`, in order; none for a stranger."""
        sender = address.strip().casefold()
        return tuple(
            number
            for number, family in self.families.items()
            if family.sender and family.sender.casefold() == sender
        )

    def undecided(self, type_ids: Sequence[str]) -> LeadType:
        """What several candidate types say in common, for a lead of which no more can be told.

        The most urgent of them counts. Where they disagree about consent it is a request: nearly all are
        inquiries, and who asked waits. ValueError for no candidate at all.
        """
        rows = [self.read(type_id) for type_id in type_ids]
        if len(rows) == 1:
            return rows[0]
        fields = [row.model_dump() for row in rows]
        common = {
            name: value for name, value in fields[0].items() if all(one[name] == value for one in fields)
        }
        urgency = max((row.urgency.more_urgent for row in rows), key=_MOST_URGENT.index)
        settled = {"id": "unknown", "known": False, "urgency": {"title": urgency}}
        return LeadType.model_validate({"consent": "request", **common, **settled})

    def with_overrides(self, overrides: Mapping[str, Mapping[str, Any]]) -> LeadTypes:
        """This table with some fields of some types read otherwise, or with types that it does not have.

        Raises pydantic's ValidationError for a field or value that no type can have, ValueError for an id
        that cannot be one. What is not overridden keeps its reading; an override of `urgency` replaces the
        readings that it names. A type made a contract expiry gives no consent unless the override says so.
        """
        changed = {type_id: self._overridden(type_id, fields) for type_id, fields in overrides.items()}
        by_id = {kind.id: kind for kind in changed.values()}
        return replace(self, types=MappingProxyType({**self.types, **by_id}))

    def _overridden(self, written: str, fields: Mapping[str, Any]) -> LeadType:
        known = self.read(written)
        if known.family is None:
            raise ValueError("an id of a lead type is a number and a letter, as 1a")
        told = {**known.model_dump(), **fields}
        if isinstance(urgency := fields.get("urgency"), Mapping):
            told["urgency"] = {**known.urgency.model_dump(), **urgency}
        if told["contract_expiry"] and "consent" not in fields:
            told["consent"] = "none"
        return LeadType.model_validate({**told, "id": known.id, "known": True})


def normalized(written: str) -> str:
    """An id as the table writes it."""
    return written.strip().lower()


def load(text: str) -> LeadTypes:
    """The table from TOML. Raises ValueError for what is no table."""
    told = tomllib.loads(text)
    families, rows = told.get("families", {}), told.get("types", {})
    if not (_is_table_of_tables(families) and _is_table_of_tables(rows)):
        raise ValueError("families and types are tables of tables")
    types = {
        type_id: {**_shared(families, type_id), **fields, "id": type_id} for type_id, fields in rows.items()
    }
    table = _Table.model_validate({"families": families, "types": types})
    return LeadTypes(MappingProxyType(dict(table.families)), MappingProxyType(dict(table.types)))


def _is_table_of_tables(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(entry, dict) for entry in value.values())


def _shared(families: Mapping[str, Any], type_id: str) -> dict[str, Any]:
    family = _family_of(type_id)
    if family is None or family not in families:
        raise ValueError("a type stands without its family")
    return {name: value for name, value in families[family].items() if name != "mail"}


def _family_of(type_id: str) -> str | None:
    found = _FORM.fullmatch(type_id)
    return found["family"] if found else None


TYPES = load(resources.files(__package__).joinpath("bdk_types.toml").read_text(encoding="utf-8"))
"""The table as published with this release."""
