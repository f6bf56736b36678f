"""What an attempt came to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, get_args

from leadbus.contracts.virtualexpo_document import DocumentFault, FaultCode
from leadbus.contracts.virtualexpo_lead_document import LeadDocument
from leadbus.contracts.vocabulary import QuarantineReason

TransferCode = Literal[
    "secret_unreadable",
    "http_not_allowed",
    "address_invalid",
    "connect_failed",
    "timed_out",
    "connection_lost",
    "redirect_refused",
    "compressed",
    "http_status",
    "too_late",
    "stopped",
]
"""Why no whole document came. ``too_late``: this process stood still before it could ask; ``stopped``: it was
told to end meanwhile."""
_WITHIN_THE_DOCUMENT: tuple[TransferCode, ...] = ("timed_out", "connection_lost", "stopped")
CODES = ("ok", *get_args(TransferCode), *get_args(FaultCode), "lead_too_large", "process_ended", "defect")


class Outcome(StrEnum):
    """What became of an attempt."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    """Leads came, and something with them that could not be read."""
    REFUSED = "refused"
    """The vendor does not let us in: the key is wrong or withdrawn."""
    THROTTLED = "throttled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The process that made it ended before it did."""


ENDED = tuple(outcome for outcome in Outcome if outcome is not Outcome.RUNNING)


@dataclass(frozen=True, slots=True)
class Broken:
    """How the transfer of a document ended before its end."""

    code: TransferCode
    status: int | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """``keep``: why the document, as far as it came, belongs into quarantine; None where it does not."""

    outcome: Outcome
    code: str
    keep: QuarantineReason | None = None


def ending(broken: Broken | None, faults: Sequence[DocumentFault], leads: Sequence[LeadDocument]) -> Ending:
    """From what the transfer, the document and the leads in it are like."""
    if broken is not None:
        # What is whole stands. That the document broke off is the transfer's fault, not the document's.
        outcome = Outcome.PARTIAL if leads else _outcome(broken)
        return Ending(outcome, broken.code, "undecodable" if broken.code in _WITHIN_THE_DOCUMENT else None)
    if faults:
        found = next((fault for fault in faults if fault.ends_it), faults[0])
        outcome = Outcome.PARTIAL if leads else Outcome.FAILED
        return Ending(outcome, found.code, _reason(found.code))
    if any(fault.rule == "too_large" for lead in leads for fault in lead.faults):
        return Ending(Outcome.PARTIAL, "lead_too_large", "too_large")
    return Ending(Outcome.SUCCEEDED, "ok")


def _outcome(broken: Broken) -> Outcome:
    if broken.code == "secret_unreadable" or broken.status in (401, 403):
        return Outcome.REFUSED
    if broken.code == "stopped":
        return Outcome.INTERRUPTED
    return Outcome.THROTTLED if broken.status == 429 else Outcome.FAILED


def _reason(code: FaultCode) -> QuarantineReason | None:
    match code:
        case "empty_body":
            return None
        case "xml_forbidden" | "too_large":
            return code
        case "wrong_root" | "unexpected_content" | "count_mismatch":
            return "payload_invalid"
        case _:
            return "undecodable"
