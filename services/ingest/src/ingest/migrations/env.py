from leadbus import jobs, outbox
from leadbus.db import run_env
from leadbus.settings import documents
from leadbus.web.audit import metadata as audit_metadata

from ingest.store.tables import METADATA

run_env([METADATA, outbox.metadata, documents.metadata, audit_metadata, jobs.metadata])
