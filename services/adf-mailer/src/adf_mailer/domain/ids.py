"""`<id>`: the custody chain of a lead, and the numbers others gave its vehicle or customer."""

from __future__ import annotations

import re

from leadbus.contracts.lead import OWN_ID_SOURCE, Lead, SourceId

from adf_mailer.domain import text
from adf_mailer.domain.carried import Carried
from adf_mailer.domain.element import Draft, Node

_HIGHEST = 999_999_999
_SEQUENCE = re.compile("[0-9]{1,9}")


def add_ids(document: Draft, prospect: Node, lead: Lead) -> None:
    """The custody chain: upstream ids in their order, ours last and always there."""
    own = SourceId(source=OWN_ID_SOURCE, value=str(lead.lead_id))
    upstream = [entry for entry in lead.ids if text.line(entry.value) and entry.source != own.source]
    ours = [entry for entry in lead.ids if entry.source == own.source] or [own]
    previous = 0
    for entry in (*upstream, *ours):
        sequence = entry.sequence if entry.sequence is not None else previous + 1
        # Some sources count from 0; ours has to be the last hop whatever they wrote.
        sequence = min(max(sequence, previous + 1) if entry.source == own.source else sequence, _HIGHEST)
        previous = max(previous, sequence)
        document.leaf(prospect, "id", entry.value, {"sequence": str(sequence), "source": entry.source})


def add_carried_ids(document: Draft, parent: Node, told: Carried) -> None:
    """The ids that a document told below `parent`, as they were."""
    for one in told.each("id"):
        sequence = one.get("@sequence") or ""
        attributes = {
            "sequence": sequence if _SEQUENCE.fullmatch(sequence) else None,
            "source": one.get("@source"),
        }
        document.optional(parent, "id", one.get(""), attributes)
