"""Latest leads, mails, poison, and the shared tables adf-mailer uses."""

from __future__ import annotations

from alembic import op
from leadbus import delivery, inbox, outbox
from leadbus.settings import documents
from leadbus.web.audit import DDL_V1 as AUDIT

revision = "0001"
down_revision = None

LEAD = """
CREATE TABLE lead (
    lead_id uuid PRIMARY KEY,
    revision integer NOT NULL,
    data jsonb,
    material text,
    contactable boolean NOT NULL,
    erased boolean NOT NULL,
    received_at timestamptz,
    updated_at timestamptz NOT NULL
)
"""
MAIL = """
CREATE TABLE mail (
    delivery_id uuid NOT NULL,
    repeat_number integer NOT NULL,
    lead_id uuid NOT NULL REFERENCES lead (lead_id),
    revision integer NOT NULL,
    route text NOT NULL,
    status text NOT NULL,
    sender text NOT NULL,
    recipient text NOT NULL,
    message_id text NOT NULL,
    sha256 text NOT NULL,
    size_bytes integer NOT NULL,
    raw bytea,
    warnings text[] NOT NULL,
    written_at timestamptz NOT NULL,
    PRIMARY KEY (delivery_id, repeat_number)
)
"""
POISON = """
CREATE TABLE poison (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    routing_key text NOT NULL,
    content_type text,
    headers bytea NOT NULL,
    body bytea NOT NULL,
    sha256 text NOT NULL,
    settled_at timestamptz,
    settled_as text
)
"""
INDEXES = (
    "CREATE INDEX mail_lead ON mail (lead_id)",
    "CREATE INDEX mail_message_id ON mail (message_id)",
    "CREATE INDEX poison_open ON poison (at, id) WHERE settled_at IS NULL",
    "CREATE INDEX setting_route_dealer ON setting ((spec ->> 'dealer')) WHERE kind = 'AdfRoute'",
)


def upgrade() -> None:
    for shared in (inbox.DDL_V1, outbox.DDL_V1, delivery.DDL_V1, documents.DDL_V1, AUDIT):
        op.execute(shared)
    for statement in (LEAD, MAIL, POISON, *INDEXES):
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "DROP TABLE mail, lead, poison, attempt, delivery, destination, inbox, outbox,"
        " setting, setting_history, audit"
    )
