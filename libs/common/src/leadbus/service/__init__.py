"""The life of a service process: start, run, drain, end.

A service's `app.py` is pure wiring:

    def build(settings: IngestSettings) -> Service:
        database = Database(settings.database_url)
        ...
        return Service("ingest", "ingest", settings, database=database, tasks={"relay": relay.run}, ...)

and its `__main__.py` is `main(build, IngestSettings)`.
"""

from leadbus.service.command import main
from leadbus.service.failure import EXIT_FAILED, EXIT_SCHEMA, EXIT_SETTINGS, EXIT_START, StartError
from leadbus.service.lifecycle import Service

__all__ = ["EXIT_FAILED", "EXIT_SCHEMA", "EXIT_SETTINGS", "EXIT_START", "Service", "StartError", "main"]
