"""The indexes of finding and retention, built beside running services."""

from __future__ import annotations

from leadbus import inbox
from leadbus.db.migrations import build_indexes

revision = "0003"
down_revision = "0002"

INDEXES = {
    "lead_source": "lead (source, received_at, lead_id)",
    "lead_state": "lead (state, received_at, lead_id)",
    "lead_test": "lead (received_at, lead_id) WHERE test",
    "lead_terms_by": "lead (terms_by)",
    "raw_bytes": "raw (stored_at, raw_key) WHERE pruned_at IS NULL",
    "raw_leadless": "raw (stored_at, raw_key) WHERE lead_id IS NULL",
    **inbox.INDEXES_V2,
}


def upgrade() -> None:
    build_indexes(INDEXES)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
