"""The only place that talks SMTP; turns its answers into Delivered, Transient, Permanent, Ambiguous."""

from adf_mailer.delivery.connection import SmartHost, TlsMode
from adf_mailer.delivery.pool import ConnectionPool
from adf_mailer.delivery.sink import AdfMailSink

__all__ = ["AdfMailSink", "ConnectionPool", "SmartHost", "TlsMode"]
