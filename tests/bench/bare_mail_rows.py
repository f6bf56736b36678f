"""The mails of the bare mailer: the product's sample, with places to fill in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from tests.bench import leads
from tests.bench.reference_rows import Template
from tests.bench.sample import DEALER, NUMBER, Sample


@dataclass(frozen=True, slots=True)
class MailTemplates:
    """`raw` is the whole mail as latin-1 text; `key` names the delivery."""

    key: Template
    route: Template
    recipient: Template
    raw: Template

    @classmethod
    def of(cls, sample: Sample) -> MailTemplates:
        places = {
            "vin": leads.vin(NUMBER),
            "number": str(NUMBER),
            "dealer": DEALER,
            "lead_id": sample.lead_id,
            "message_id": sample.message_id,
            "date": sample.date,
        }
        return cls(
            key=Template.of(sample.delivery_key, places),
            route=Template.of(sample.route, places),
            recipient=Template.of(sample.recipient, places),
            raw=Template.of(sample.mail, places),
        )


def places_of(lead: Mapping[str, Any], now: datetime) -> dict[str, str]:
    """What belongs into the templates for one lead of ours, but for `message_id`."""
    vehicle = lead["vehicles"][0]
    return {
        "vin": vehicle["vin"],
        "number": vehicle["stock"].removeprefix("N"),
        "dealer": lead["dealer"]["dealer_id"].removeprefix("dealer-"),
        "lead_id": lead["lead_id"],
        "date": format_datetime(now),
    }
