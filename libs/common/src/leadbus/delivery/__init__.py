"""The engine of all sinks: deliveries are rows, retried, paused, redriven and told about alike.

A consumer calls ``plan`` (or ``skip``) in its transaction; a ``DeliveryEngine`` in every replica hands each
due delivery to the service's ``Sink`` and records what it said. The other side sees a delivery once, or
the delivery says that nobody knows (``ambiguous``).
"""

from leadbus.delivery.announcing import GATHER_SECONDS
from leadbus.delivery.bouncing import Became, bounce
from leadbus.delivery.breaker import BreakerSettings
from leadbus.delivery.claiming import Offer
from leadbus.delivery.ddl import DDL_V1, DDL_V2, DDL_V3, DDL_V4, DDL_V5, INDEXES_V2, INDEXES_V3
from leadbus.delivery.engine import DeliveryEngine
from leadbus.delivery.job import Job, LeaseLost, Sink
from leadbus.delivery.limits import Limits
from leadbus.delivery.machine import Bounced, Phase
from leadbus.delivery.operations import (
    NewDelivery,
    NoSuchDelivery,
    OperationRefused,
    Planning,
    cancel,
    plan,
    redrive,
    skip,
)
from leadbus.delivery.outcomes import (
    Ambiguous,
    Delivered,
    Held,
    Outcome,
    Permanent,
    Skipped,
    Suspended,
    Transient,
)
from leadbus.delivery.schedule import Pace, Schedule
from leadbus.delivery.starting import Starting
from leadbus.delivery.steering import NoSuchDestination, limit, pause, resume
from leadbus.delivery.tables import metadata

__all__ = [
    "DDL_V1",
    "DDL_V2",
    "DDL_V3",
    "DDL_V4",
    "DDL_V5",
    "GATHER_SECONDS",
    "INDEXES_V2",
    "INDEXES_V3",
    "Ambiguous",
    "Became",
    "Bounced",
    "BreakerSettings",
    "Delivered",
    "DeliveryEngine",
    "Held",
    "Job",
    "LeaseLost",
    "Limits",
    "NewDelivery",
    "NoSuchDelivery",
    "NoSuchDestination",
    "Offer",
    "OperationRefused",
    "Outcome",
    "Pace",
    "Permanent",
    "Phase",
    "Planning",
    "Schedule",
    "Sink",
    "Skipped",
    "Starting",
    "Suspended",
    "Transient",
    "bounce",
    "cancel",
    "limit",
    "metadata",
    "pause",
    "plan",
    "redrive",
    "resume",
    "skip",
]
