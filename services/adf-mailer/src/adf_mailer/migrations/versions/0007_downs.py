"""How often in a row a delivery found its destination down: it waits longer each time."""

from __future__ import annotations

from alembic import op
from leadbus import delivery

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(delivery.DDL_V4)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
