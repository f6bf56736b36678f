"""Forms of mail that receivers are known to take: profiles by name, and by CRM vendor."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

from adf_mailer.domain import crm_vendors
from adf_mailer.domain.shape import FormFields


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a receiver's form of mail; `subject` are placeholders that it must have."""

    name: str
    known: Literal["told", "seen"]
    why: str
    form: FormFields
    vendors: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()


def of_vendor(vendor: str | None) -> Profile:
    """The one for routes to this vendor's CRM; the default one where nothing is known of it."""
    known = crm_vendors.find(vendor) if vendor else None
    return _BY_VENDOR.get(known.name, DEFAULT) if known else DEFAULT


def _read() -> Mapping[str, Profile]:
    table = tomllib.loads(files("adf_mailer.domain").joinpath("crm_profiles.toml").read_text("utf-8"))
    profiles = (
        Profile(
            name=row["name"],
            known=row["known"],
            why=row["why"],
            form=FormFields.model_validate(row.get("form", {})),
            vendors=tuple(row.get("vendors", ())),
            subject=tuple(row.get("subject", ())),
        )
        for row in table["profile"]
    )
    return MappingProxyType({profile.name: profile for profile in profiles})


PROFILES = _read()
"""By name, in the table's order."""
DEFAULT = PROFILES["default"]
_BY_VENDOR = {vendor: profile for profile in PROFILES.values() for vendor in profile.vendors}
