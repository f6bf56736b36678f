from leadbus import delivery, inbox, jobs, outbox
from leadbus.db import run_env
from leadbus.settings import documents
from leadbus.web.audit import metadata as audit

from adf_mailer.store.tables import METADATA

run_env(
    [METADATA, inbox.metadata, outbox.metadata, delivery.metadata, documents.metadata, audit, jobs.metadata]
)
