"""How addresses stand that refuse mails."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE address_standing (
            address text PRIMARY KEY,
            refusals integer NOT NULL,
            probes integer NOT NULL,
            refused_at timestamptz,
            suspended_at timestamptz,
            probe_at timestamptz,
            bounced boolean NOT NULL,
            suspended boolean GENERATED ALWAYS AS (suspended_at IS NOT NULL) STORED
        )
        """
    )


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
