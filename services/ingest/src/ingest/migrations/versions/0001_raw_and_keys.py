"""Raw messages, API keys, and the shared tables ingest uses."""

from __future__ import annotations

from alembic import op
from leadbus import outbox
from leadbus.settings import tables as settings
from leadbus.web.audit import DDL_V1 as AUDIT_DDL_V1

revision = "0001"
down_revision = None

RAW = """
CREATE TABLE raw (
    raw_id uuid PRIMARY KEY,
    source text NOT NULL,
    account text NOT NULL,
    key_id text NOT NULL,
    content_type text NOT NULL,
    body bytea NOT NULL,
    digest bytea NOT NULL,
    size_bytes integer NOT NULL,
    test boolean NOT NULL,
    accepted_at timestamptz NOT NULL,
    published_at timestamptz
)
"""
IDEMPOTENCY_KEY = """
CREATE TABLE idempotency_key (
    source text NOT NULL,
    account text NOT NULL,
    key text NOT NULL,
    raw_id uuid NOT NULL REFERENCES raw (raw_id) ON DELETE CASCADE,
    PRIMARY KEY (source, account, key)
)
"""
API_KEY = """
CREATE TABLE api_key (
    key_id text PRIMARY KEY,
    source text NOT NULL,
    account text NOT NULL,
    label text NOT NULL,
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    rotated_to text
)
"""
INDEXES = (
    "CREATE INDEX raw_content ON raw (source, account, digest, accepted_at)",
    "CREATE INDEX raw_published ON raw (published_at) WHERE published_at IS NOT NULL",
    "CREATE INDEX idempotency_key_raw ON idempotency_key (raw_id)",
    "CREATE INDEX outbox_failed_subject ON outbox (subject) WHERE attempts > 0",
    "CREATE INDEX api_key_source ON api_key (source, created_at, key_id)",
)


def upgrade() -> None:
    for shared in (outbox.DDL_V1, settings.DDL_V1, AUDIT_DDL_V1):
        op.execute(shared)
    for statement in (RAW, IDEMPOTENCY_KEY, API_KEY, *INDEXES):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE idempotency_key, raw, api_key, outbox, setting, setting_history, audit")
