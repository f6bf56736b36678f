"""What events said of connections that need a person."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

TOLD = """
CREATE TABLE connection_told (
    kind text NOT NULL,
    name text NOT NULL,
    reasons text[] NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (kind, name)
)
"""


def upgrade() -> None:
    op.execute(TOLD)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
