"""Where lines go and what they pass on their way: our own and those of every library."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping, Sequence
from typing import Any, TextIO

import structlog

from leadbus.log import redaction, tracebacks
from leadbus.log.each import ROWS

# Libraries whose log arguments are host names, channel numbers and reply texts. Every other library is
# heard by its template alone: arguments may be message bodies (FastStream) or exceptions quoting them.
_TRUSTED_LIBRARIES = ("leadbus", "uvicorn", "alembic", "aio_pika", "aiormq")
_LIBRARY_LEVELS = {
    "uvicorn.access": logging.CRITICAL + 1,  # the request line of leadbus.web says it
    "uvicorn.error": logging.WARNING,
    "aio_pika": logging.WARNING,
    "aiormq": logging.WARNING,
    "faststream": logging.WARNING,
    "httpx2": logging.WARNING,
    "httpcore2": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "asyncio": logging.WARNING,
    "mail.log": logging.CRITICAL + 1,  # aiosmtpd: its lines are addresses and commands
}

Event = MutableMapping[str, Any]


def configure(service: str, level: str = "INFO", *, stream: TextIO | None = None) -> None:
    """Send every log record of this process as JSON lines to `stream` (stdout by default).

    Can be called again: the last call wins. `level` is a name of the standard library (`INFO`).
    """
    shared = _first(service)
    _configure_structlog([*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter])
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        _Formatter(
            shared,
            foreign_pre_chain=[_say_template_only, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_LAST_DEFENCE],
            use_get_message=True,
            pass_foreign_args=True,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    _route_libraries()


def unconfigured() -> None:
    """What holds until `configure`: lines go to the standard library's root, through the same defences.

    (structlog's own default prints tracebacks with the values of local variables.)
    """
    _configure_structlog([*_first("leadbus"), *_LAST_DEFENCE])


def logger(component: str) -> structlog.stdlib.BoundLogger:
    """A logger for the few lines that are not one unit of work: started, reconnected, gave up."""
    # Not bound here: modules make their loggers at import, before `configure`.
    made: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(
        f"leadbus.{component}", component=component
    )
    return made


def _first(service: str) -> list[structlog.types.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        _Service(service),
    ]


def _configure_structlog(processors: list[structlog.types.Processor]) -> None:
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


class _Service:
    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: object, _method: str, event: Event) -> Event:
        event["service"] = self._service
        return event


def _route_libraries() -> None:
    """Take the handlers libraries gave themselves: what they say goes through the root's processors."""
    for name in list(logging.root.manager.loggerDict):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    for name, threshold in _LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(threshold)


def _say_template_only(_logger: object, _method: str, event: Event) -> Event:
    record: logging.LogRecord = event["_record"]
    event.pop("positional_args", None)
    event["library"] = record.name
    if record.name.partition(".")[0] not in _TRUSTED_LIBRARIES:
        template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        event["event"] = template.partition("\n")[0]
    return event


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Renders the lines of a batch (see `each`) as well: what they share is worked out once."""

    def __init__(self, shared: Sequence[structlog.types.Processor], **options: Any) -> None:
        super().__init__(**options)
        self._shared = shared

    def format(self, record: logging.LogRecord) -> str:
        rows = getattr(record, ROWS, None)
        if rows is None:
            return super().format(record)
        shared: Event = {"event": record.msg}
        for processor in self._shared:
            shared = processor(record, record.levelname.lower(), shared)  # type: ignore[assignment]
        redaction.redact(None, "", shared)
        return "\n".join(_encode({**redaction.redact(None, "", dict(row)), **shared}) for row in rows)


# Made once: `json.dumps` with arguments makes an encoder per call.
_encode = json.JSONEncoder(ensure_ascii=False, default=lambda value: type(value).__name__).encode


def _to_json(event: Any, **_options: Any) -> str:
    return _encode(event)


_LAST_DEFENCE: list[structlog.types.Processor] = [
    tracebacks.render,
    redaction.redact,
    structlog.processors.JSONRenderer(serializer=_to_json),
]
