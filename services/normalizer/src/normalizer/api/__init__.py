"""HTTP: leads and their story, raw messages, the quarantine, consent."""

from __future__ import annotations

from fastapi import APIRouter
from leadbus.clock import Clock
from leadbus.db import Database

from normalizer.api import consents, finding, knowledge, leads, opt_in, quarantine, raws, trials
from normalizer.consenting import Consenting
from normalizer.domain.opt_in import OptInLinks
from normalizer.domain.terms import Terms
from normalizer.quarantining import Quarantining


def router(
    database: Database,
    quarantining: Quarantining,
    terms: Terms | None = None,
    terms_before: Terms | None = None,
) -> APIRouter:
    """Everything under `/v1` but the settings; `terms_before` are those of a key that is being replaced."""
    # No prefix here: log lines and metrics name a route by the path of the router that declares it.
    api = APIRouter()
    api.include_router(finding.router(database, terms or Terms(), terms_before))
    api.include_router(leads.router(database, terms or Terms()))
    api.include_router(knowledge.router(database))
    api.include_router(raws.router(database, quarantining))
    api.include_router(quarantine.router(database, quarantining))
    api.include_router(trials.router(database, quarantining))
    return api


def consent_router(
    database: Database,
    consenting: Consenting,
    clock: Clock,
    links: OptInLinks | None = None,
    public_url: str | None = None,
) -> APIRouter:
    """Acts of consent and opt-in links; without `links` none are made. `public_url` is where they begin."""
    api = APIRouter()
    api.include_router(consents.router(database, consenting, clock))
    api.include_router(opt_in.router(database, consenting, clock, links, public_url))
    return api
