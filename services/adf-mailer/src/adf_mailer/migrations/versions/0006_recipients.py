"""Mails for copies and for people; leads that no route took are found when one appears."""

from __future__ import annotations

from alembic import op
from leadbus.db import build_indexes

revision = "0006"
down_revision = "0005"

UNROUTED = """
CREATE TABLE unrouted (
    delivery_id uuid PRIMARY KEY,
    looked_at timestamptz NOT NULL,
    released_at timestamptz
)
"""
# What waits was planned in order of its route; from now on an address waits for itself.
ORDER = """
UPDATE delivery SET ordering_key = delivery.subject_id || '/' || mail.recipient
FROM mail
WHERE delivery.phase IN ('queued', 'waiting') AND mail.delivery_id = delivery.id AND mail.repeat_number = 0
    AND delivery.ordering_key = delivery.subject_id || '/' || delivery.route
"""
INDEXES = {
    "delivery_unrouted": "delivery (dealer, planned_at) WHERE phase = 'skipped'"
    " AND reason IN ('no_route', 'no_matching_route', 'route_disabled')",
}


def upgrade() -> None:
    build_indexes(INDEXES)
    op.execute("ALTER TABLE mail ADD COLUMN role text NOT NULL DEFAULT 'lead'")
    op.execute(UNROUTED)
    op.execute(ORDER)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
