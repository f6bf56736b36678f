from ingest.store.tables import METADATA
from leadbus import outbox
from leadbus.db import run_env

run_env([METADATA, outbox.metadata])
