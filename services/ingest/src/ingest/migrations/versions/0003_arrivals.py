"""What ingest fetches or receives itself: messages that no key brought, and those it keeps."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

NO_KEY = "ALTER TABLE raw ALTER COLUMN key_id DROP NOT NULL"
QUARANTINE = """
CREATE TABLE quarantine (
    raw_id uuid PRIMARY KEY,
    source text NOT NULL,
    account text NOT NULL,
    content_type text NOT NULL,
    body bytea NOT NULL,
    digest bytea NOT NULL,
    size_bytes integer NOT NULL,
    test boolean NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    quarantined_at timestamptz NOT NULL
)
"""
QUARANTINED_AT = "CREATE INDEX quarantine_at ON quarantine (quarantined_at, raw_id)"


def upgrade() -> None:
    for statement in (NO_KEY, QUARANTINE, QUARANTINED_AT):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
