"""What is seen of messages: one line each, ids and codes only; poison and repeats are counted too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from uuid import UUID

from leadbus.contracts import Lead
from leadbus.log import logger

from adf_mailer.domain.routing import Decision, Deliver
from adf_mailer.events import LeadTold, Told
from adf_mailer.metrics import POISON, REPEATS
from adf_mailer.store.poison import Poison

_log = logger("adf-mailer")


def report_fresh(told: Iterable[Told], decided: Iterable[tuple[Lead, Decision]]) -> None:
    """Messages that were new; `outdated`: a higher revision had come, or the lead was erased, before."""
    by_lead = defaultdict[tuple[UUID, int], list[Decision]](list)
    for lead, decision in decided:
        by_lead[lead.lead_id, lead.revision].append(decision)
    for one in told:
        if not isinstance(one, LeadTold):
            _log.info("adf.erased", leads=len(one.erased.lead_ids), outcome="erased")
            continue
        decisions = by_lead.get((one.lead.lead_id, one.lead.revision), [])
        _log.info(
            "adf.lead",
            **_named(one.lead),
            outcome="decided" if decisions else "outdated",
            mails=[each.route.name for each in decisions if isinstance(each, Deliver)],
            skipped=[each.reason for each in decisions if not isinstance(each, Deliver)],
        )


def report_repeated(told: Iterable[Told]) -> None:
    for one in told:
        REPEATS.inc()
        named = _named(one.lead) if isinstance(one, LeadTold) else {}
        _log.info("adf.lead", **named, outcome="duplicate")


def report_poison(poison: Iterable[Poison]) -> None:
    """Never the id or a header: a foreign sender may have put anything there."""
    for one in poison:
        POISON.labels(reason=one.reason).inc()
        _log.warning(
            "adf.poison",
            outcome="poison",
            reason=one.reason,
            detail=one.detail,
            sha256=sha256(one.message.body).hexdigest(),
            size_bytes=len(one.message.body),
        )


def _named(lead: Lead) -> dict[str, object]:
    return {"lead_id": str(lead.lead_id), "revision": lead.revision}
