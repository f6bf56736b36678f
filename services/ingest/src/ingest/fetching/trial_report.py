"""What came in a trial: enough to see whether data lands in the right fields, and nobody's data. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from leadbus.contracts.virtualexpo_lead_document import LeadDocument, outline

_NO_CATEGORY = "unknown"


def report(leads: Sequence[LeadDocument], selected: Collection[str]) -> dict[str, Any]:
    """Numbers of leads: by category, by what they ask for, by field that is filled in, by fault."""
    fields, types, faults = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for lead in leads:
        drawn = outline(lead)
        fields.update(drawn.fields)
        types.update(drawn.types)
        faults.update({(fault.rule, fault.path) for fault in lead.faults})
    return {
        "leads": len(leads),
        "categories": dict(Counter(lead.category or _NO_CATEGORY for lead in leads)),
        "not_selected": sum(lead.category is not None and lead.category not in selected for lead in leads),
        "types": dict(sorted(types.items())),
        "fields": dict(sorted(fields.items())),
        "faults": [
            {"rule": rule, "path": path, "leads": number} for (rule, path), number in sorted(faults.items())
        ],
    }
