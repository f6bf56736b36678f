"""The only place that talks SMTP; turns its answers into Delivered, Transient, Permanent, Ambiguous."""

from adf_mailer.delivery.connection import SmartHost, TlsMode
from adf_mailer.delivery.pool import ConnectionPool
from adf_mailer.delivery.sink import PREPARE_SECONDS, AdfMailSink

DESTINATION_SHARE = 0.95
"""Of the engine's slots: all mail goes through one host, there is nobody to keep many free for."""

__all__ = ["DESTINATION_SHARE", "PREPARE_SECONDS", "AdfMailSink", "ConnectionPool", "SmartHost", "TlsMode"]
