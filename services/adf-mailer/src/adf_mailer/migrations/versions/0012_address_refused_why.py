"""Why an address refuses, and since when."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    # Until now only such refusals were noted; a release from before still notes them without a word.
    op.execute("ALTER TABLE address_standing ADD COLUMN reason text NOT NULL DEFAULT 'bad_address'")
    op.execute("ALTER TABLE address_standing ADD COLUMN refusing_since timestamptz")


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
