"""The ledger says which of a route's recipients an entry is of, and whether that one counts for the lead."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    # Constant defaults: Postgres adds the columns without touching a row.
    op.execute(
        """
        ALTER TABLE ledger ADD COLUMN target text NOT NULL DEFAULT '',
                           ADD COLUMN aside boolean NOT NULL DEFAULT false
        """
    )


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
