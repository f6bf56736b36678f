"""Deliveries of test leads are marked as such."""

from __future__ import annotations

from alembic import op
from leadbus import delivery

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(delivery.DDL_V3)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
