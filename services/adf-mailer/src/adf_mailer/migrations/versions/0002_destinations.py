"""Health, suspension and limits of destinations; indexes for operators' lists of deliveries."""

from __future__ import annotations

from alembic import op
from leadbus import delivery
from leadbus.db import build_indexes

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(delivery.DDL_V2)
    build_indexes(delivery.INDEXES_V2)
