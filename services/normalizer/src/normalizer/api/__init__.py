"""HTTP: leads and their story, raw messages, the quarantine."""

from __future__ import annotations

from fastapi import APIRouter
from leadbus.db import Database

from normalizer.api import leads, quarantine, raws
from normalizer.quarantining import Quarantining


def router(database: Database, quarantining: Quarantining) -> APIRouter:
    """Everything under `/v1` but the settings."""
    # No prefix here: log lines and metrics name a route by the path of the router that declares it.
    api = APIRouter()
    api.include_router(leads.router(database))
    api.include_router(raws.router(database, quarantining))
    api.include_router(quarantine.router(database, quarantining))
    return api
