"""The closed vocabularies of the canonical lead. Adding a word is additive, removing one is a new version."""

from __future__ import annotations

from typing import Literal, get_args
from uuid import UUID

NAMESPACE = UUID("f5f1bfef-8d52-4112-a80b-950a54aad0bb")
"""Namespace of every UUIDv5 that Leadbus derives. Fixed for ever: lead ids depend on it."""

Source = Literal["contactatonce", "virtualexpo", "bdk", "alfatrack", "adf", "dms"]
SOURCES: tuple[str, ...] = get_args(Source)
"""Every source there is; the last segment of a ``raw.<source>`` routing key."""

Channel = Literal[
    "form", "portal", "phone", "chat", "text", "email", "offline", "visit", "walk_in", "unknown"
]
Intent = Literal[
    "inquiry",
    "test_drive",
    "callback",
    "quote",
    "documentation",
    "price",
    "financing",
    "leasing",
    "cash",
    "reservation",
    "trade_in",
    "contract_expiry",
    "campaign",
    "configuration",
    "service",
    "nurture",
]
Urgency = Literal["normal", "high", "highest"]
CustomerType = Literal["person", "business"]
PhoneType = Literal["voice", "cellphone", "fax", "pager", "unknown"]
BestTime = Literal["morning", "afternoon", "evening", "day", "no_preference"]
AddressType = Literal["home", "work", "delivery"]
Interest = Literal["buy", "lease", "sell", "trade_in", "test_drive"]
VehicleStatus = Literal["new", "used", "unknown"]
DistanceUnit = Literal["km", "mi", "unknown"]
PriceKind = Literal["quote", "offer", "msrp", "invoice", "call", "appraisal", "asking", "unknown"]
FinanceProduct = Literal["cash", "financing", "leasing", "unknown"]
Precheck = Literal["not_stated", "none", "done_unknown", "positive", "negative"]
Speaker = Literal["customer", "agent", "system"]
ConsentBasis = Literal["form", "request", "none", "granted", "withdrawn"]
LinkReason = Literal["possible_duplicate", "same_person"]
QuarantineReason = Literal[
    "undecodable",
    "envelope_invalid",
    "foreign_message",
    "unsupported_type",
    "payload_invalid",
    "location_unmapped",
    "id_reused",
    "source_unknown",
    "too_large",
    "xml_forbidden",
    "category_not_selected",
    "not_a_lead",
]
