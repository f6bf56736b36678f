"""What is seen of messages: one line each, ids and codes only; poison and repeats are counted too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from uuid import UUID

from leadbus import log
from leadbus.contracts import Lead

from adf_mailer.domain.routing import Decision, Deliver
from adf_mailer.events import LeadTold, Told
from adf_mailer.metrics import POISON, REPEATS
from adf_mailer.store.poison import Poison

_COMPONENT = "adf-mailer"
_log = log.logger(_COMPONENT)


def report_fresh(told: Iterable[Told], decided: Iterable[tuple[Lead, Decision]]) -> None:
    """Messages that were new; `outdated`: a higher revision had come, or the lead was erased, before."""
    by_lead = defaultdict[tuple[UUID, int], list[Decision]](list)
    for lead, decision in decided:
        by_lead[lead.lead_id, lead.revision].append(decision)
    leads = []
    for one in told:
        if not isinstance(one, LeadTold):
            _log.info("adf.erased", leads=len(one.erased.lead_ids), outcome="erased")
            continue
        decisions = by_lead.get((one.lead.lead_id, one.lead.revision), [])
        leads.append(
            {
                **_named(one.lead),
                "outcome": "decided" if decisions else "outdated",
                "mails": [each.route.name for each in decisions if isinstance(each, Deliver)],
                "skipped": [each.reason for each in decisions if not isinstance(each, Deliver)],
            }
        )
    log.each(_COMPONENT, "adf.lead", leads)


def report_repeated(told: Sequence[Told]) -> None:
    REPEATS.inc(len(told))
    named = (_named(one.lead) if isinstance(one, LeadTold) else {} for one in told)
    log.each(_COMPONENT, "adf.lead", [{**one, "outcome": "duplicate"} for one in named])


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
    return {"lead_id": lead.lead_id, "revision": lead.revision}
