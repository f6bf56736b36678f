"""An SMTP server that keeps every mail, and misbehaves on request."""

from __future__ import annotations

from leadbus_devstack.smtp.faults import Faults
from leadbus_devstack.smtp.mailbox import Mailbox, StoredMail
from leadbus_devstack.smtp.process import SmtpServer

__all__ = ["Faults", "Mailbox", "SmtpServer", "StoredMail"]
