"""How long anything in the system waits for an answer: what a fault has to outlast to be felt by all."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from urllib.parse import parse_qs

from adf_mailer.settings import AdfMailerSettings
from leadbus.consumer import broker
from leadbus.db import borrowing, pool
from leadbus.outbox import publication
from leadbus.publisher import Publisher


def publishing() -> dict[str, float]:
    """A confirm, and a relay's whole publish."""
    confirm = inspect.signature(Publisher).parameters["confirm_timeout_seconds"].default
    return {"confirm": float(confirm), "publish": publication.PUBLISH_TIMEOUT_SECONDS}


def heartbeat(amqp_query: str) -> dict[str, float]:
    """Until aiormq takes a silent broker for dead."""
    stated = parse_qs(amqp_query).get("heartbeat", [str(broker.HEARTBEAT_SECONDS)])
    return {"heartbeat": (float(stated[0]) + 1) * 3}


def database() -> dict[str, float]:
    """A statement, and a connection of the pool."""
    return {"statement": pool.COMMAND_TIMEOUT_SECONDS, "connection": borrowing.ACQUIRE_TIMEOUT_SECONDS}


def act(settings: Mapping[str, Mapping[str, str]]) -> dict[str, float]:
    """A whole try of adf-mailer."""
    return {"act": _mailer(settings).act_timeout_seconds}


def lease(settings: Mapping[str, Mapping[str, str]]) -> dict[str, float]:
    """Until another replica takes a try for lost."""
    return {"lease": _mailer(settings).lease_seconds}


def _mailer(settings: Mapping[str, Mapping[str, str]]) -> AdfMailerSettings:
    stated = {name.lower(): json.loads(value) for name, value in settings.get("adf-mailer", {}).items()}
    return AdfMailerSettings.model_validate(AdfMailerSettings.for_documents().model_dump() | stated)
