"""Bounces, and the index by which a mail is found by the UUID of its Message-ID."""

from __future__ import annotations

from alembic import op
from leadbus.db import build_indexes

revision = "0008"
down_revision = "0007"

# It finds whole Message-IDs as well, so that the older index of them is one too many.
INDEXES = {"mail_by_message_id": "mail (message_id text_pattern_ops)"}
BOUNCE = """
CREATE TABLE bounce (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    returned_to uuid NOT NULL,
    sha256 text NOT NULL,
    kind text NOT NULL,
    verdict text NOT NULL,
    reason text,
    became text NOT NULL,
    matched_by text,
    delivery_id uuid,
    repeat_number integer,
    dealer text,
    test boolean NOT NULL DEFAULT false,
    recipient_role text NOT NULL,
    action text,
    status text,
    reporting_mta text,
    diagnostic text,
    size_bytes integer NOT NULL,
    raw bytea
)
"""
BOUNCE_INDEXES = (
    "CREATE UNIQUE INDEX bounce_once ON bounce (sha256, returned_to)",
    "CREATE INDEX bounce_received ON bounce (received_at, id)",
    "CREATE INDEX bounce_delivery ON bounce (delivery_id) WHERE delivery_id IS NOT NULL",
    "CREATE INDEX bounce_unmatched ON bounce (received_at, id) WHERE delivery_id IS NULL",
    "CREATE INDEX bounce_waiting ON bounce (id) WHERE became = 'sending'",
    "CREATE INDEX bounce_bytes ON bounce (received_at) WHERE raw IS NOT NULL",
)


def upgrade() -> None:
    # First, and nothing before it: it may be cut short and is then done again, which the rest could not be.
    build_indexes(INDEXES)
    op.execute("DROP INDEX IF EXISTS mail_message_id")
    for statement in (BOUNCE, *BOUNCE_INDEXES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
