"""Leads whose type nobody knows are counted for each source, so that a new type of a partner is noticed."""

from __future__ import annotations

from typing import Any

import pytest
from leadbus import metrics


def _counted(source: str) -> float:
    value = metrics.REGISTRY.get_sample_value("leadbus_lead_types_unknown_total", {"source": source})
    return value or 0


@pytest.mark.parametrize(
    ("source", "type_", "extensions", "more"),
    [
        ("bdk", {"bdkLeadTypeId": "9z"}, {}, 1),
        ("bdk", {"bdkLeadTypeId": "1a"}, {}, 0),
        ("bdk", {"bdkLeadTypeId": "9z"}, {"test": "true"}, 0),
        ("alfatrack", {"type": "pigeon"}, {}, 1),
        ("alfatrack", {"type": "chat"}, {}, 0),
    ],
    ids=["unknown", "known", "of a test", "a tracker's", "a tracker's known"],
)
async def test_an_unknown_type_is_counted(
    workshop: Any, message: Any, source: str, type_: dict[str, str], extensions: dict[str, str], more: int
) -> None:
    await workshop.map_dealer()
    location = {"source": source, "external_id": "0047110", "dealer": "prairie-motors"}
    await workshop.settings.put("Location", "l", location, actor="test")
    bodies: dict[str, dict[str, Any]] = {
        "bdk": {"leadId": "LS-1", "partnerNumber": "0047110"},
        "alfatrack": {"event": "lead", "lead_id": "1", "project": {"id": "0047110"}},
    }
    before = _counted(source)
    await workshop.raw.handle([message(bodies[source] | type_, source=source, **extensions)])
    assert len(await workshop.leads()) == 1
    assert _counted(source) == before + more
