"""What became of a publish."""

from __future__ import annotations

from enum import Enum


class PublishResult(Enum):
    """Only CONFIRMED means that the broker answers for the message; RETURNED and REFUSED are certain too."""

    CONFIRMED = "confirmed"
    """Every queue it was routed to has it; for a message that is not mandatory, that may be none."""
    RETURNED = "returned"
    """Mandatory, and no queue is bound for it."""
    REFUSED = "refused"
    """Not in the broker: it said no, there was no connection, or the message cannot be written as AMQP."""
    UNKNOWN = "unknown"
    """It was sent and no answer came; the connection it went through is closed."""
