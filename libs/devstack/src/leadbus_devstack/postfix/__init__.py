"""A real mail transfer agent as receiver: Debian's Postfix, misbehaving on request."""

from __future__ import annotations

from leadbus_devstack.postfix.behaviours import DISCARD_DOMAIN, DOMAIN, LISTENERS, NEXT_HOP_DOMAIN, To
from leadbus_devstack.postfix.configuration import HOST_NAME, SIZE_LIMIT_BYTES
from leadbus_devstack.postfix.greylisting import Greylisting
from leadbus_devstack.postfix.logins import Logins
from leadbus_devstack.postfix.mails import DeliveredMail
from leadbus_devstack.postfix.programs import PostfixPrograms, find_programs
from leadbus_devstack.postfix.server import NativePostfix

__all__ = [
    "DISCARD_DOMAIN",
    "DOMAIN",
    "HOST_NAME",
    "LISTENERS",
    "NEXT_HOP_DOMAIN",
    "SIZE_LIMIT_BYTES",
    "DeliveredMail",
    "Greylisting",
    "Logins",
    "NativePostfix",
    "PostfixPrograms",
    "To",
    "find_programs",
]
