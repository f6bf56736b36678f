"""The index by which a mail's recipients are found, built beside running services."""

from __future__ import annotations

from leadbus.db.migrations import build_indexes

revision = "0005"
down_revision = "0004"

INDEXES = {"setting_mail_address": "setting ((spec ->> 'address')) WHERE kind = 'MailRecipient'"}


def upgrade() -> None:
    build_indexes(INDEXES)


def downgrade() -> None:
    raise NotImplementedError("roll forward: a release runs against a schema that is ahead of it")
