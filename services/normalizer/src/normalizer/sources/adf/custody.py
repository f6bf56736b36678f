"""`<id>` elements of a prospect: the custody chain, and key-value pairs that some senders make of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from leadbus.contracts.lead import SourceId

from normalizer.sources.adf.findings import Findings
from normalizer.sources.adf.node import Node
from normalizer.sources.adf.words import is_template, squeezed

_HOP = re.compile(r"[0-9]{1,9}")
# Longer chains were not seen; higher numbers beside an empty id are the id.
_SHORT_CHAIN = re.compile(r"[0-9]{1,2}")
_KEYS = frozenset(
    {
        *(
            "leadtype",
            "leadsubtype",
            "leadcategory",
            "leadsource",
            "leadsubprogram",
            "leadprogram",
            "program",
        ),
        *(
            "leadchannel",
            "leadmedium",
            "leadstatus",
            "eventname",
            "eventid",
            "eventtype",
            "mediatype",
            "media",
        ),
        *("campaign", "campaignid", "campaignname", "keyword", "medium", "adgroup", "device", "devicetype"),
        *(
            "type",
            "subtype",
            "category",
            "formname",
            "formid",
            "formtype",
            "language",
            "vehicletype",
            "channel",
        ),
        *("utmsource", "utmmedium", "utmcampaign", "utmterm", "utmcontent", "gclid", "referrer", "website"),
    }
)
"""Values of `source` that are the name of a property, not of a system."""

_OWN_KEYS = frozenset({"leadid", "id", "leadnumber", "leadref", "referenceid", "prospectid", "requestid"})
"""Values of `source` that say no more than that this is the sender's own id."""

LEAD_TYPE_KEYS = ("leadtype",)


@dataclass(frozen=True, slots=True)
class Custody:
    """`issuer` and `external_id` are of the first hop: who made the lead, whoever forwarded it since."""

    ids: tuple[SourceId, ...] = ()
    issuer: str | None = None
    external_id: str | None = None
    lead_type: str | None = None


@dataclass(frozen=True, slots=True)
class _Hop:
    source: str
    value: str
    sequence: int | None
    own: bool


def read_custody(prospect: Node, provider: str | None, findings: Findings) -> Custody:
    """The chain of `prospect`, in the order of its sequence where every id has one, else as written."""
    hops: list[_Hop] = []
    lead_type: str | None = None
    for node in prospect.each("id"):
        key = squeezed(node.seen("source"))
        if key in _KEYS:
            value = node.take_value()
            node.attribute("source"), node.attribute("sequence")
            findings.keep(f"id.{key}", value)
            lead_type = lead_type or (value if key in LEAD_TYPE_KEYS else None)
        elif (hop := _hop(node, key, provider, findings)) is not None:
            hops.append(hop)
    if all(hop.sequence is not None for hop in hops):
        hops.sort(key=lambda hop: hop.sequence or 0)
    ids = tuple(SourceId(source=hop.source, value=hop.value, sequence=hop.sequence) for hop in hops)
    if not hops:
        return Custody(lead_type=lead_type)
    # An id that its sender calls its own is the lead's, whatever other numbers stand before it.
    origin = next((hop for hop in hops if hop.own), hops[0])
    return Custody(ids, origin.source, origin.value, lead_type)


def _misplaced(sequence: str) -> bool:
    return bool(sequence) and not _SHORT_CHAIN.fullmatch(sequence) and not is_template(sequence)


def _hop(node: Node, key: str, provider: str | None, findings: Findings) -> _Hop | None:
    sequence = node.seen("sequence") or ""
    value = node.take_value()
    if value is None and _misplaced(sequence):
        value, sequence = sequence, ""
        node.attribute("sequence")
        findings.warn("id_in_sequence", "ids")
    if value is None:
        return None
    if _HOP.fullmatch(sequence) or not sequence:
        node.attribute("sequence")
    own = key in _OWN_KEYS
    source = node.attribute("source")
    if own:
        findings.keep(f"id.{key}@source", source)
    return _Hop(
        provider or "ADF" if own or not source else source,
        value,
        int(sequence) if _HOP.fullmatch(sequence) else None,
        own,
    )
