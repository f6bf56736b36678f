"""Jobs: long operator acts."""

from __future__ import annotations

from alembic import op
from leadbus import jobs

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(jobs.DDL_V1)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
