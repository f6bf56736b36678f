"""Leads of the BDK Leadservice, as its adapter reads them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from normalizer.domain.draft import Draft
from normalizer.sources.bdk import read

AT = datetime(2026, 4, 14, 16, 3, 5, tzinfo=UTC)
JSON = "application/json"
LEAST = {"leadId": "LS-1", "partnerNumber": "0047110"}


def tell(type_id: Any = "1a", /, **fields: Any) -> Draft:
    """The draft of a lead of this type that tells `fields` beside what every lead has to."""
    return read(json.dumps({**LEAST, "bdkLeadTypeId": type_id, **fields}).encode(), JSON)


def codes(draft: Draft) -> list[tuple[str, str]]:
    """(code, field) of its warnings."""
    return [(warning.code, warning.field) for warning in draft.warnings]
