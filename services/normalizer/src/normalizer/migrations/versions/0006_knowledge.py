"""What sources learn of their leads: a row for each raw message that told any, also before its lead came."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    """
    CREATE TABLE knowledge (
        lead_id uuid NOT NULL,
        place integer NOT NULL,
        raw_key uuid NOT NULL,
        raw_id text NOT NULL,
        source text NOT NULL,
        received_at timestamptz NOT NULL,
        alone boolean NOT NULL,
        waiting boolean NOT NULL,
        test boolean NOT NULL,
        parameters jsonb NOT NULL,
        extras jsonb NOT NULL,
        warnings jsonb NOT NULL,
        PRIMARY KEY (lead_id, place)
    )
    """,
    "CREATE INDEX knowledge_waiting ON knowledge (received_at, lead_id) WHERE waiting",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
