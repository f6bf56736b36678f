"""Deliveries say which of a route's recipients they are for, and whether that one counts for the lead.

What was planned before, or by a release before this one, says nothing: the ledger takes it for the route's.
"""

from __future__ import annotations

from alembic import op
from leadbus import delivery

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute(delivery.DDL_V5)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
