"""Acts of consent, where contacts stand, and what sources told where acts made it another.

Contacts stand here as they are and not as hashes: a withdrawal has to outlive the key of hashes.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    """
    CREATE TABLE consent_act (
        act_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        act_id uuid NOT NULL,
        contact text NOT NULL,
        action text NOT NULL,
        purposes text[] NOT NULL,
        at timestamptz NOT NULL,
        words text,
        evidence text,
        told_by text NOT NULL,
        actor text,
        raw_key uuid,
        lead_id uuid,
        recorded_at timestamptz NOT NULL,
        reached uuid,
        walked_at timestamptz,
        applied_at timestamptz,
        UNIQUE (act_id, contact)
    )
    """,
    "CREATE INDEX consent_act_contact ON consent_act (contact, act_no)",
    "CREATE INDEX consent_act_waiting ON consent_act (act_no) WHERE applied_at IS NULL",
    """
    CREATE TABLE consent_standing (
        contact text NOT NULL,
        purpose text NOT NULL,
        state text NOT NULL,
        at timestamptz NOT NULL,
        words text,
        act_no bigint NOT NULL,
        PRIMARY KEY (contact, purpose)
    )
    """,
    "ALTER TABLE lead ADD COLUMN told_consent jsonb",
    "ALTER TABLE lead_revision ADD COLUMN act_id uuid",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
