"""Raw messages, leads, quarantine, ledger, and the shared tables the normalizer uses."""

from __future__ import annotations

from alembic import op
from leadbus import inbox, outbox
from leadbus.settings import tables as settings
from leadbus.web.audit import DDL_V1 as AUDIT_DDL_V1

revision = "0001"
down_revision = None

TABLES = """
DO $ddl$ BEGIN
CREATE TABLE raw (
    raw_key uuid PRIMARY KEY,
    source text NOT NULL,
    account text NOT NULL,
    wire_id text NOT NULL,
    digest text NOT NULL,
    body bytea NOT NULL,
    size_bytes integer NOT NULL,
    content_type text,
    attributes jsonb NOT NULL,
    received_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL,
    test boolean NOT NULL,
    trial boolean NOT NULL,
    bare boolean NOT NULL,
    lead_id uuid
);
CREATE INDEX raw_wire_id ON raw (wire_id);
CREATE INDEX raw_lead ON raw (lead_id, received_at) WHERE lead_id IS NOT NULL;
CREATE INDEX raw_stored ON raw USING brin (stored_at);

CREATE TABLE lead (
    lead_id uuid PRIMARY KEY,
    revision integer NOT NULL,
    source text NOT NULL,
    account text NOT NULL,
    dealer_id text NOT NULL,
    test boolean NOT NULL,
    received_at timestamptz NOT NULL,
    last_raw_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX lead_received ON lead (received_at, lead_id);
CREATE INDEX lead_dealer ON lead (dealer_id, received_at, lead_id);

CREATE TABLE lead_revision (
    lead_id uuid NOT NULL REFERENCES lead (lead_id),
    revision integer NOT NULL,
    raw_key uuid NOT NULL,
    event_type text NOT NULL,
    changed text[] NOT NULL,
    at timestamptz NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (lead_id, revision)
);

CREATE TABLE quarantine (
    raw_key uuid PRIMARY KEY REFERENCES raw (raw_key),
    source text NOT NULL,
    account text NOT NULL,
    wire_id text NOT NULL,
    size_bytes integer NOT NULL,
    reason text NOT NULL,
    field text,
    value_kind text,
    detail text NOT NULL,
    location text,
    state text NOT NULL,
    times integer NOT NULL,
    quarantined_at timestamptz NOT NULL,
    closed_at timestamptz,
    closed_by text,
    how text,
    note text
);
CREATE INDEX quarantine_at ON quarantine (quarantined_at, raw_key);
CREATE INDEX quarantine_open ON quarantine (reason, source) WHERE state = 'open';
CREATE INDEX quarantine_unmapped ON quarantine (source, location)
    WHERE state = 'open' AND reason = 'location_unmapped';

CREATE TABLE ledger (
    lead_id uuid NOT NULL,
    sink text NOT NULL,
    route text NOT NULL,
    delivery_id uuid NOT NULL,
    state text NOT NULL,
    outcome text NOT NULL,
    attempts integer NOT NULL,
    ambiguous boolean NOT NULL,
    repeat boolean NOT NULL,
    planned_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    PRIMARY KEY (lead_id, sink, route)
);

CREATE UNIQUE INDEX setting_location
    ON setting ((spec ->> 'source'), (spec ->> 'external_id'), coalesce(spec ->> 'account', ''))
    WHERE kind = 'Location';
END $ddl$
"""


def upgrade() -> None:
    op.execute(inbox.DDL_V1)
    op.execute(outbox.DDL_V1)
    op.execute(settings.DDL_V1)
    op.execute(AUDIT_DDL_V1)
    op.execute(TABLES)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
