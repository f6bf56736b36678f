"""A dealer's leads by when they came, and leads of which nobody said whose they are."""

from __future__ import annotations

from leadbus.db import build_indexes

revision = "0010"
down_revision = "0009"

INDEXES = {
    "lead_counted": "lead (counted_for, received_at) WHERE counted_for <> '' AND contactable",
    "lead_uncounted": "lead (received_at) WHERE counted_for IS NULL",
}


def upgrade() -> None:
    build_indexes(INDEXES)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
