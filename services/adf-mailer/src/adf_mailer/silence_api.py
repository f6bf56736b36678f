"""`/v1/silence`: which dealers usually have leads by now, and have none today."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from leadbus.web import Actor, require
from pydantic import BaseModel, Field

from adf_mailer.domain.silence import KindOfDay
from adf_mailer.silence import DealerStanding, Silence

Viewer = Annotated[Actor, require("viewer")]


class DealerSilence(BaseModel):
    """A dealer that had leads in the last four weeks. Tests do not count, nor what nobody may be mailed."""

    dealer: str
    time_zone: str = Field(description="IANA name: whose midnight a day begins at. UTC where none is known.")
    kind_of_day: KindOfDay = Field(description="What day it is at the dealer's.")
    days: int = Field(description="Days that the usual figures are means of; holidays are not known.")
    usual_per_day: float | None = Field(description="Leads on such a day; null in a dealer's first days.")
    expected_by_now: float | None = Field(description="Leads up to this time of day on such a day.")
    today: int = Field(description="Leads since the dealer's midnight.")
    last_lead_at: datetime = Field(description="Quiet since then.")
    silent: bool = Field(
        description="None today, though `ADF_MAILER_SILENCE_EXPECTED_LEADS` are usual by now."
    )

    @classmethod
    def of(cls, one: DealerStanding) -> "DealerSilence":
        standing = one.standing
        return cls(
            dealer=one.dealer,
            time_zone=one.time_zone,
            kind_of_day=standing.kind,
            days=standing.days,
            usual_per_day=_rounded(standing.usual_per_day),
            expected_by_now=_rounded(standing.expected_by_now),
            today=standing.today,
            last_lead_at=one.last_lead_at,
            silent=standing.silent,
        )


class Dealers(BaseModel):
    items: list[DealerSilence]


def router(silence: Silence) -> APIRouter:
    """For viewers; a token limited to dealers is told of those."""
    api = APIRouter()

    @api.get("/v1/silence", tags=["silence"], summary="What dealers usually get by now, and got today")
    async def dealers(
        actor: Viewer,
        silent: Annotated[bool | None, Query(description="Only silent ones, or only the others.")] = None,
    ) -> Dealers:
        only = None if actor.dealers is None else sorted(actor.dealers)
        found = await silence.standings(only)
        return Dealers(
            items=[DealerSilence.of(one) for one in found if silent in (None, one.standing.silent)]
        )

    return api


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 2)
