"""Who originated a lead and what kind it is: the two strings CRMs break their reports down by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from leadbus.contracts.lead import Lead
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from adf_mailer.domain import text
from adf_mailer.domain.element import VALUE_BYTES

PROVIDER_NAMES = {
    "contactatonce": "ContactAtOnce!",
    "virtualexpo": "VirtualExpo",
    "bdk": "BDK",
    "alfatrack": "Alfa-Track",
    "adf": "ADF",
    "dms": "DMS",
}

ORIGINAL_NAME = "provider.name"
"""Key of `Lead.extras`: provider/name of the ADF document that the lead came as."""


def _stable(value: str) -> str:
    if not value.isprintable() or value != text.line(value):
        raise ValueError("one line of printable characters, without blanks around or several together")
    if not text.fits(value, VALUE_BYTES):
        raise ValueError("too long to go out whole")
    return value


Stable = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_stable)]
"""Goes out byte for byte as it was set."""


class LeadType(BaseModel):
    """What leads of one type are called on a route; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    provider_name: Stable | None = Field(
        None, title="Provider name", description="In provider/name for leads of this type."
    )
    service: Stable | None = Field(
        None, title="Service", description="In provider/service for leads of this type."
    )


@dataclass(frozen=True, slots=True)
class Provider:
    """`name` and `service` may be any text; `told`: the name is that of whoever the lead came from."""

    name: str
    service: str
    told: bool = True


def provider_of(
    lead: Lead, route_name: str | None = None, lead_types: Mapping[str, LeadType] | None = None
) -> Provider:
    """What the route says of the lead's type, else of all, else whoever made the lead, else its source."""
    kind = lead_types.get(lead.source_type) if lead_types else None
    given = (kind.provider_name if kind else None) or route_name
    service = (kind.service if kind else None) or lead.source_type
    return Provider(given or _original(lead), service, told=given is None)


def _original(lead: Lead) -> str:
    told = text.line(lead.extras.get(ORIGINAL_NAME, "")) if lead.source == "adf" else ""
    return told or PROVIDER_NAMES.get(lead.source, lead.source)
