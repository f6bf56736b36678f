from leadbus.db import run_env
from leadbus.settings import documents
from leadbus.web.audit import metadata as audit_metadata

run_env([documents.metadata, audit_metadata])
