"""What services' migrations execute to make a sink's tables. Frozen: later versions are added beside them."""

from __future__ import annotations

DDL_V1 = """
DO $ddl$ BEGIN
CREATE TABLE destination (
    name text PRIMARY KEY,
    breaker text NOT NULL DEFAULT 'closed',
    consecutive_failures integer NOT NULL DEFAULT 0,
    probes integer NOT NULL DEFAULT 0,
    opened_at timestamptz,
    next_probe_at timestamptz,
    paused_at timestamptz,
    pause_reason text,
    created_at timestamptz NOT NULL,
    CONSTRAINT destination_breaker_known CHECK (breaker IN ('closed', 'open', 'half_open'))
);
CREATE TABLE delivery (
    id uuid PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    key text NOT NULL,
    subject_id text NOT NULL,
    destination text NOT NULL,
    route text NOT NULL,
    dealer text,
    priority smallint NOT NULL DEFAULT 0,
    ordering_key text,
    phase text NOT NULL,
    planned_at timestamptz NOT NULL,
    not_before timestamptz NOT NULL,
    deadline timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    doubts integer NOT NULL DEFAULT 0,
    repeat_number integer NOT NULL DEFAULT 0,
    announced text,
    announcements integer NOT NULL DEFAULT 0,
    outcome text,
    reason text,
    finished_at timestamptz,
    lease_token uuid,
    lease_expires_at timestamptz,
    CONSTRAINT delivery_phase_known CHECK (phase IN
        ('queued', 'sending', 'waiting', 'delivered', 'failed', 'skipped', 'cancelled')),
    CONSTRAINT delivery_leased_while_sending CHECK ((phase = 'sending') = (lease_token IS NOT NULL)),
    CONSTRAINT delivery_finished_when_terminal CHECK
        ((phase IN ('queued', 'sending', 'waiting')) = (finished_at IS NULL))
);
CREATE UNIQUE INDEX delivery_key ON delivery (key);
CREATE UNIQUE INDEX delivery_seq ON delivery (seq);
CREATE INDEX delivery_subject ON delivery (subject_id);
CREATE INDEX delivery_due ON delivery (phase, destination, priority DESC, not_before, seq)
    WHERE phase IN ('queued', 'waiting');
CREATE INDEX delivery_early ON delivery (phase, not_before) WHERE phase IN ('queued', 'waiting');
CREATE INDEX delivery_deadline ON delivery (deadline)
    WHERE deadline IS NOT NULL AND phase IN ('queued', 'waiting');
CREATE INDEX delivery_leases ON delivery (lease_expires_at) WHERE phase = 'sending';
CREATE INDEX delivery_order ON delivery (ordering_key, seq)
    WHERE ordering_key IS NOT NULL AND phase IN ('queued', 'waiting', 'sending');
CREATE UNIQUE INDEX delivery_one_in_flight ON delivery (ordering_key) WHERE phase = 'sending';
CREATE TABLE attempt (
    delivery_id uuid NOT NULL REFERENCES delivery (id) ON DELETE CASCADE,
    n integer NOT NULL,
    repeat_number integer NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    duration_ms integer,
    outcome text,
    reason text,
    answer text,
    ambiguous boolean NOT NULL DEFAULT false,
    PRIMARY KEY (delivery_id, n)
);
END $ddl$
"""
"""Frozen: what a service's migration executes. Later versions are added beside it."""

HEALTH_V2 = """
CASE WHEN paused_at IS NOT NULL THEN 'paused'
     WHEN breaker = 'closed' THEN 'healthy'
     WHEN suspended_at IS NOT NULL THEN 'suspended'
     ELSE 'failing' END
"""

DDL_V2 = f"""
ALTER TABLE destination
    ADD COLUMN suspended_at timestamptz,
    ADD COLUMN suspended_reason text,
    ADD COLUMN announcements integer NOT NULL DEFAULT 0,
    ADD COLUMN failed_at timestamptz,
    ADD COLUMN failed_outcome text,
    ADD COLUMN failed_reason text,
    ADD COLUMN last_success_at timestamptz,
    ADD COLUMN max_in_flight integer,
    ADD COLUMN per_minute integer,
    ADD COLUMN next_start_at timestamptz,
    ADD COLUMN health text GENERATED ALWAYS AS ({HEALTH_V2}) STORED,
    ADD CONSTRAINT destination_limits_positive CHECK (max_in_flight > 0 AND per_minute > 0);
"""
"""Frozen: health, suspension, limits. The table has a row per destination, so its rewriting is no matter."""

INDEXES_V2 = {
    "delivery_by_dealer": "delivery (dealer, seq)",
    "delivery_by_route": "delivery (route, seq)",
    "delivery_by_destination": "delivery (destination, seq)",
    "delivery_by_ended_phase": "delivery (phase, seq) WHERE phase IN ('failed', 'skipped', 'cancelled')",
    "delivery_by_trouble": "delivery (outcome, seq) WHERE outcome <> 'delivered'",
}
"""Frozen: for operators' lists, newest first; built with `leadbus.db.build_indexes`, which stops no writer.

What most rows have in common (delivered) needs none: walking `delivery_seq` finds a page of them at once.
"""

DDL_V3 = "ALTER TABLE delivery ADD COLUMN test boolean NOT NULL DEFAULT false"
"""Frozen: deliveries of test subjects are marked. A constant default rewrites no row."""

INDEXES_V3 = {
    "delivery_by_test": "delivery (seq) WHERE test",
    "attempt_finished": "attempt (finished_at) WHERE finished_at IS NOT NULL",
}
"""Frozen: the list of test deliveries; and by which retention finds old tries."""

DDL_V4 = "ALTER TABLE delivery ADD COLUMN downs integer NOT NULL DEFAULT 0"
"""Frozen: tries in a row that found the destination down. A constant default rewrites no row."""

DDL_V5 = """
ALTER TABLE delivery
    ADD COLUMN target text NOT NULL DEFAULT '',
    ADD COLUMN aside boolean NOT NULL DEFAULT false
"""
"""Frozen: which of a route's recipients it is for, and whether that counts. The defaults rewrite no row."""
