"""Logging: one JSON object per line on stdout, one wide line per message, attempt or request.

Ids and hashes only. What a service must not say is kept out at the place that speaks; the processors of
this package (`redaction`, `tracebacks`) are the last line of defence, not the first.
"""

from leadbus.log.configuration import configure, logger, unconfigured
from leadbus.log.each import each
from leadbus.log.wide import Wide, wide

__all__ = ["Wide", "configure", "each", "logger", "unconfigured", "wide"]

unconfigured()
