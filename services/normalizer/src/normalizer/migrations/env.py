from leadbus import inbox, jobs, outbox
from leadbus.db import run_env
from leadbus.settings import tables as settings
from leadbus.web.audit import metadata as audit_metadata

from normalizer.store.tables import METADATA

run_env([METADATA, inbox.metadata, outbox.metadata, settings.metadata, audit_metadata, jobs.metadata])
