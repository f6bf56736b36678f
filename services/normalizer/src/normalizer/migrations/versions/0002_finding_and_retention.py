"""What leads are found by, their delivery state, and which raw messages lost their bytes to age.

Rows that exist are filled in by the task `indexing`: hashes need the key, which no migration has.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    # Constant defaults: Postgres adds the columns without touching a row.
    """
    ALTER TABLE lead ADD COLUMN state text NOT NULL DEFAULT 'waiting',
                     ADD COLUMN terms text[] NOT NULL DEFAULT '{}',
                     ADD COLUMN terms_by text NOT NULL DEFAULT ''
    """,
    "ALTER TABLE raw ADD COLUMN pruned_at timestamptz",
    """
    CREATE TABLE lead_term (
        term text COLLATE "C" NOT NULL,
        received_at timestamptz NOT NULL,
        lead_id uuid NOT NULL,
        PRIMARY KEY (term, received_at, lead_id)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
