"""Leads say among whose leads they count, so that a dealer's can be counted.

Rows written before, or by a release before this one, say nothing; the service fills in those of the days it
looks back on.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("ALTER TABLE lead ADD COLUMN counted_for text")


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
