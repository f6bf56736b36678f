"""BDK Leadservice: a lead as the bank tells it, fetched or pushed whole."""

from __future__ import annotations

from datetime import datetime

from leadbus.contracts import json_text
from leadbus.contracts.bdk import LEAD_TYPE_ID, MISSPELT_LEAD_TYPE_ID, BdkLead
from leadbus.contracts.bdk_reading import Reading, read_lead
from leadbus.contracts.lead import Consent, SourceId
from pydantic import ValidationError

from normalizer.domain.draft import Draft
from normalizer.domain.extras import unlisted
from normalizer.domain.html_text import html_to_text, is_html
from normalizer.domain.rejection import Rejection
from normalizer.domain.text import clean, clean_line, told_line
from normalizer.sources import bdk_words
from normalizer.sources.bdk_deal import contract_of, finance_of, vehicles_of, with_told_product
from normalizer.sources.bdk_findings import Findings
from normalizer.sources.bdk_moments import read_moment
from normalizer.sources.bdk_person import addresses_of, company_of, emails_of, name_of, phones_of
from normalizer.sources.bdk_types import TYPES, LeadType, LeadTypes
from normalizer.sources.charset import UTF8_BOM
from normalizer.sources.document import format_of
from normalizer.sources.invalid import rejection_of

PROVIDER = "BDK Leadservice"
"""The provider's name in the custody chain."""

_UNTOLD = "unknown"
_LONGEST_TYPE_CHARS = 40
_FACETS_WITHOUT_FIELD = ("origin", "trigger", "title", "customer")


def read(body: bytes, content_type: str | None, types: LeadTypes = TYPES) -> Draft:
    """The draft that one lead tells, its type read by `types`; raises Rejection and nothing else."""
    if format_of(body, content_type) != "json":
        raise Rejection("unsupported_type", "a lead of this source is JSON", field="content_type")
    told = body.removeprefix(UTF8_BOM)
    mended = json_text.without_half_pairs(told)
    try:
        reading = read_lead(mended)
    except ValidationError as error:
        raise rejection_of(error, BdkLead) from None
    findings = findings_of(reading)
    if mended is not told:
        findings.warn("half_surrogate", "raw")
    return draft_of(reading.payload, _type_of(reading.payload, types, findings), findings)


def findings_of(reading: Reading[BdkLead]) -> Findings:
    """What could not be read, and what the contract does not list."""
    findings = Findings(unlisted(reading.payload))
    for note in reading.notes:
        findings.doubt(note.path, note.value, note.code)
    return findings


def draft_of(payload: BdkLead, read_kind: LeadType, findings: Findings) -> Draft:
    """The draft that `payload` makes, read as `read_kind`.

    A type that nobody knows costs no lead, and is an expiry where a contract is told.
    """
    told_kind = _with_facets_kept(payload, read_kind, findings)
    lead_id, occurred_at = clean_line(payload.lead_id), _occurred_at(payload, findings)
    kind = with_told_product(told_kind, payload.finance, findings)
    return Draft(
        location=clean_line(payload.partner_number),
        location_field="partnerNumber",
        source_type=kind.id,
        channel=findings.word("channel", payload.channel, bdk_words.CHANNELS) or kind.channel,
        external_id=lead_id,
        intents=kind.intents,
        urgency=kind.urgency.more_urgent,
        answer_expected=not kind.contract_expiry,
        occurred_at=occurred_at,
        ids=(SourceId(source=PROVIDER, value=lead_id),),
        name=name_of(payload.customer, findings),
        company=company_of(payload.customer),
        emails=emails_of(payload.customer, findings),
        phones=phones_of(payload.customer),
        addresses=addresses_of(payload.customer.address, findings),
        vehicles=vehicles_of(payload.vehicle, kind, findings),
        finance=finance_of(payload.finance, kind),
        contract=contract_of(payload.contract, kind, findings),
        subject=told_line(payload.subject),
        message=_text(payload.message),
        consent=_consent(kind, occurred_at),
        extras=findings.extras,
        warnings=findings.warnings,
        test=payload.test,
    )


def _type_of(payload: BdkLead, types: LeadTypes, findings: Findings) -> LeadType:
    written = clean_line(payload.lead_type_id or "")
    kind = types.read(written if 0 < len(written) <= _LONGEST_TYPE_CHARS else _UNTOLD)
    if not written:
        findings.warn("lead_type_missing", "source_type")
    elif not kind.known:
        findings.warn("lead_type_unknown", "source_type")
    if written and written != kind.id:
        findings.keep(LEAD_TYPE_ID, written)
    misspelt = findings.extras.get(MISSPELT_LEAD_TYPE_ID)
    if misspelt is not None and types.read(misspelt).id != kind.id:
        findings.warn("lead_type_conflict", "source_type")
    return kind


def _with_facets_kept(payload: BdkLead, kind: LeadType, findings: Findings) -> LeadType:
    if kind.ambiguous:
        hints = ", ".join(kind.hints)
        findings.warn("lead_type_ambiguous", "source_type", f"the description says: {hints}")
    for facet in _FACETS_WITHOUT_FIELD:
        if (told := getattr(kind, facet)) != _UNTOLD:
            findings.keep(f"bdkLeadType.{facet}", told)
    findings.keep("bdkLeadType.hints", ", ".join(kind.hints))
    if not kind.known and _tells_contract(payload):
        return kind.model_copy(update={"contract_expiry": True, "consent": "none"})
    return kind


def _tells_contract(payload: BdkLead) -> bool:
    contract = payload.contract
    return contract is not None and bool(told_line(contract.number) or told_line(contract.ends_on))


def _occurred_at(payload: BdkLead, findings: Findings) -> datetime | None:
    written = told_line(payload.created_at)
    if written is None:
        return None
    reading = read_moment(written)
    if reading.warning:
        findings.doubt("createdAt", written, reading.warning)
    return reading.at


def _text(written: str | None) -> str | None:
    told = written or ""
    return (html_to_text(told) if is_html(told) else clean(told)) or None


def _consent(kind: LeadType, at: datetime | None) -> Consent:
    if kind.consent in ("none", "withdrawn"):
        return Consent(basis=kind.consent)
    return Consent(basis=kind.consent, purposes=("reply", "sales"), at=at)
