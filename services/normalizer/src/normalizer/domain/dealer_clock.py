"""Moments told without an offset: what the clock at the dealer's showed then. Cases Z1.. in the README."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from leadbus.contracts.lead import Call, Consent, Warning_

from normalizer.domain.draft import Draft
from normalizer.domain.local_moment import at_clock

ASSUMED = "zone_assumed"
_OF_THE_LEAD = ("occurred_at", "detected_at")
_DOUBTS = (ASSUMED, "value_unread")


def by_dealers_clock(draft: Draft, zone: str | None) -> Draft:
    """`draft` with its `zoneless` moments by the clock in `zone` (IANA name); as it is where there is none.

    A clock shows the first of an hour that comes twice. Warnings say which moments are assumed so.
    """
    if zone is None or not draft.zoneless:
        return draft
    moments = {field: at_clock(shown, zone) for field, shown in draft.zoneless.items()}
    begun = (at for field, at in moments.items() if field not in _OF_THE_LEAD)
    occurred_at = moments.get("occurred_at") or draft.occurred_at or next(begun, None)
    return replace(
        draft,
        occurred_at=occurred_at,
        detected_at=moments.get("detected_at") or draft.detected_at,
        transcript=tuple(
            line.model_copy(update={"at": moments.get(f"transcript.{place}.at", line.at)})
            for place, line in enumerate(draft.transcript)
        ),
        call=_call(draft.call, moments.get("call.started_at")),
        consent=_consent(draft, occurred_at),
        warnings=tuple(_warning(warning, moments) for warning in draft.warnings),
    )


def _call(call: Call | None, started_at: datetime | None) -> Call | None:
    return call.model_copy(update={"started_at": started_at}) if call and started_at else call


def _consent(draft: Draft, occurred_at: datetime | None) -> Consent:
    """Given by asking, it is of the moment that was asked at."""
    if draft.consent.basis == "none" or draft.consent.at != draft.occurred_at:
        return draft.consent
    return draft.consent.model_copy(update={"at": occurred_at})


def _warning(warning: Warning_, moments: dict[str, datetime]) -> Warning_:
    if warning.field not in moments or warning.code not in _DOUBTS:
        return warning
    return Warning_(code=ASSUMED, field=warning.field, detail="the clock at the dealer's")
