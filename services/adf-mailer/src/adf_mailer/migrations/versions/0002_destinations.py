"""Health, suspension and limits of destinations."""

from __future__ import annotations

from alembic import op
from leadbus import delivery

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(delivery.DDL_V2)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
