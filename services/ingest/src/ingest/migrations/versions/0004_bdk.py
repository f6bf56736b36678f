"""BDK connections: leads that are to be fetched, and how far lists are known."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

CONNECTION = """
CREATE TABLE bdk_connection (
    name text PRIMARY KEY,
    failures integer NOT NULL,
    stopped_for text,
    stopped_at timestamptz,
    not_before timestamptz
)
"""
READ = """
CREATE TABLE bdk_read (
    read_id uuid PRIMARY KEY,
    connection text NOT NULL,
    lead_id text NOT NULL,
    state text NOT NULL,
    first_noticed_by text NOT NULL,
    first_noticed_at timestamptz NOT NULL,
    noticed_at timestamptz NOT NULL,
    asked integer NOT NULL,
    asked_in_hand integer NOT NULL,
    tries integer NOT NULL,
    due_at timestamptz NOT NULL,
    lease_token uuid,
    lease_until timestamptz,
    attempted_at timestamptz,
    outcome text,
    status integer,
    raw_id uuid,
    entry_digest bytea,
    notice bytea,
    correlation_id text
)
"""
CURSOR = """
CREATE TABLE bdk_cursor (
    connection text NOT NULL,
    partner_number text NOT NULL,
    known_until timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    failures integer NOT NULL,
    lease_token uuid,
    lease_until timestamptz,
    attempted_at timestamptz,
    succeeded_at timestamptz,
    outcome text,
    status integer,
    pages integer NOT NULL,
    entries integer NOT NULL,
    unreadable integer NOT NULL,
    news integer NOT NULL,
    PRIMARY KEY (connection, partner_number)
)
"""
INDEXES = (
    "CREATE UNIQUE INDEX bdk_read_lead ON bdk_read (connection, lead_id)",
    "CREATE INDEX bdk_read_due ON bdk_read (connection, due_at) WHERE state IN ('due', 'held')",
    "CREATE INDEX bdk_read_state ON bdk_read (state, noticed_at)",
    "CREATE INDEX bdk_read_noticed ON bdk_read (noticed_at, read_id)",
)


def upgrade() -> None:
    for statement in (CONNECTION, READ, CURSOR, *INDEXES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
