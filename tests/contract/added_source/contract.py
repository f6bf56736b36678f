"""What the portal CarLot pushes: one enquiry as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadbus.contracts.wire import Code, Text, WireModel
from pydantic import AwareDatetime, ConfigDict


class CarLotLead(WireModel):
    """One enquiry. Fields that are not listed are kept beside the lead."""

    model_config = ConfigDict(extra="allow")

    id: Code
    """The portal's id of the enquiry."""
    lot: Code
    """The portal's id of the dealer."""
    at: AwareDatetime
    """When it was sent."""
    name: Text | None = None
    """As the person wrote it."""
    email: Text | None = None
    """E-mail address."""
    text: Text | None = None
    """What the person wrote."""


CARLOT: Mapping[str, Mapping[str, Any]] = {
    "Enquiry": {
        "id": 7731,
        "lot": "L-12",
        "at": "2026-04-14T10:22:31+02:00",
        "name": "Zoë van den Berg",
        "email": "zoe@example.org",
        "text": "Is the blue one still there?",
        "utm": "spring",
    }
}
"""By name, as JSON values."""
