"""The ledger keeps an entry for each recipient of a route.

From here on a release from before 0007 can note nothing: it names the key that was, which cannot stand beside
this one, because it would refuse every second recipient. What it takes from `normalizer.ledger` is parked;
redriven, it is noted rightly in any order.
"""

from __future__ import annotations

from alembic import op
from leadbus.db import build_indexes

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    # First, and nothing before it: it may be cut short and is then done again, which the rest could not be.
    build_indexes({"ledger_targets": "ledger (lead_id, sink, route, target)"}, unique=True)
    op.execute("ALTER TABLE ledger DROP CONSTRAINT ledger_pkey")
    op.execute("ALTER TABLE ledger ADD CONSTRAINT ledger_pkey PRIMARY KEY USING INDEX ledger_targets")


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
