"""The only place that sends by SMTP, and turns what it hears into the outcomes of `leadbus.delivery`."""

from adf_mailer.delivery.connection import SmartHost, TlsMode
from adf_mailer.delivery.domains import DomainGates
from adf_mailer.delivery.gates import WAIT_SECONDS
from adf_mailer.delivery.hosts import SmartHosts
from adf_mailer.delivery.replies import Paces
from adf_mailer.delivery.sink import PREPARE_SECONDS, AdfMailSink

DESTINATION_SHARE = 0.95
"""Of the engine's slots: all mail has one destination, there is nobody to keep many free for."""

__all__ = [
    "DESTINATION_SHARE",
    "PREPARE_SECONDS",
    "WAIT_SECONDS",
    "AdfMailSink",
    "DomainGates",
    "Paces",
    "SmartHost",
    "SmartHosts",
    "TlsMode",
]
