"""Indexes of operators' lists of deliveries, and of retention; built beside running services."""

from __future__ import annotations

from leadbus import delivery, inbox
from leadbus.db import build_indexes

revision = "0004"
down_revision = "0003"

INDEXES = {
    "lead_received": "lead (received_at, lead_id)",
    "mail_bytes": "mail (written_at) WHERE raw IS NOT NULL",
    "poison_settled": "poison (settled_at) WHERE settled_at IS NOT NULL",
    **delivery.INDEXES_V2,
    **delivery.INDEXES_V3,
    **inbox.INDEXES_V2,
}


def upgrade() -> None:
    build_indexes(INDEXES)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
