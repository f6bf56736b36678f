"""VirtualExpo: when each subscription is due, and every attempt to fetch one."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

SUBSCRIPTION = """
CREATE TABLE virtualexpo_subscription (
    name text PRIMARY KEY,
    target bytea,
    since timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    last_attempt_at timestamptz,
    last_success_at timestamptz
)
"""
ATTEMPT = """
CREATE TABLE virtualexpo_attempt (
    attempt_id uuid PRIMARY KEY,
    subscription text NOT NULL,
    target bytea NOT NULL,
    trial boolean NOT NULL,
    started_at timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    ended_at timestamptz,
    outcome text NOT NULL,
    code text,
    http_status integer,
    size_bytes bigint NOT NULL,
    leads integer NOT NULL,
    new_leads integer NOT NULL,
    quarantine_id uuid,
    faults jsonb NOT NULL,
    report jsonb
)
"""
INDEXES = (
    "CREATE UNIQUE INDEX virtualexpo_subscription_target ON virtualexpo_subscription (target)"
    " WHERE target IS NOT NULL",
    "CREATE INDEX virtualexpo_attempt_subscription ON virtualexpo_attempt (subscription, started_at)",
    "CREATE INDEX virtualexpo_attempt_target ON virtualexpo_attempt (target, started_at)",
    "CREATE INDEX virtualexpo_attempt_started ON virtualexpo_attempt (started_at, attempt_id)",
    "CREATE INDEX virtualexpo_attempt_running ON virtualexpo_attempt (lease_until) WHERE ended_at IS NULL",
)


def upgrade() -> None:
    for statement in (SUBSCRIPTION, ATTEMPT, *INDEXES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
