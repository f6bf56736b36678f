"""`/v1/consents`: noting that a person said yes or no, and where a person stands.

Whom it is about stands in bodies: addresses of requests end up in logs of proxies and in histories.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter
from leadbus import web
from leadbus.clock import Clock
from leadbus.db import Connection, Database
from leadbus.web import Actor, FieldError, Problem, Role, problem_responses, require
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from normalizer.api.finding import LONGEST_CONTACT, address_of, number_of
from normalizer.consenting import Consenting
from normalizer.directory import Country
from normalizer.domain import identity
from normalizer.domain.consents import Action, known_by
from normalizer.domain.declarations import Declaration, ToldBy
from normalizer.domain.opt_in import Purpose
from normalizer.store import consents, standings

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_NO_NUL = r"^[^\x00]*$"
_UNLIMITED = "sees and notes consent by the leads of its dealers only"


class Whom(BaseModel):
    """A person: by one of their leads, or by phone, e-mail or both."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    lead_id: UUID | None = Field(None, description="Everything the lead's person is known by.")
    phone: Annotated[
        str | None, Field(min_length=1, max_length=LONGEST_CONTACT, repr=False, examples=["+13125550148"])
    ] = None
    country: Country | None = Field(
        None, description="Where the number would be dialled so; not needed when it begins with +."
    )
    email: Annotated[
        str | None,
        Field(min_length=1, max_length=LONGEST_CONTACT, repr=False, examples=["dana@example.com"]),
    ] = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.lead_id is None) == (self.phone is None and self.email is None):
            raise ValueError("give a lead, or a phone number, an e-mail address or both")
        return self


class ConsentAct(Whom):
    """That somebody said yes or no. A no is final: no later yes lifts it."""

    action: Action
    purposes: tuple[Purpose, ...] = Field(
        (), max_length=4, description="What for. A withdrawal without any is one of every purpose."
    )
    at: AwareDatetime | None = Field(None, description="When it was said; now, if it is not given.")
    words: Annotated[str, StringConstraints(max_length=2000, pattern=_NO_NUL)] | None = Field(
        None, repr=False, description="The words agreed to, or said."
    )
    evidence: Annotated[str, StringConstraints(max_length=500, pattern=_NO_NUL)] | None = Field(
        None, repr=False, description="Where the proof is kept: a ticket, a letter, a recording."
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.action == "grant" and not self.purposes:
            raise ValueError("a grant names its purposes")
        return self


class StandingStory(BaseModel):
    """Where a person stands with one purpose, by one of their contacts."""

    contact: str = Field(description="Which kind of contact it is: mailto, tel, or lead.")
    purpose: str = Field(description="`*`: every purpose.")
    state: str = Field(description="granted or withdrawn.")
    at: datetime
    words: str | None


class ActStory(BaseModel):
    """One act, by one contact."""

    act_id: UUID
    contact: str = Field(description="Which kind of contact it is: mailto, tel, or lead.")
    action: Action
    purposes: list[str] = Field(description="Empty: every purpose.")
    at: datetime
    words: str | None
    evidence: str | None
    told_by: ToldBy
    actor: str | None
    raw_key: UUID | None = Field(description="The raw message that told it.")
    lead_id: UUID | None = Field(description="The lead that it was said about.")
    recorded_at: datetime
    applied_at: datetime | None = Field(description="Since when every lead it concerns knows of it.")


class ConsentStory(BaseModel):
    """Where a person stands, and why; the latest act first."""

    standings: list[StandingStory]
    acts: list[ActStory]


class Recorded(BaseModel):
    """The act, and where the person stands after it. The leads concerned follow within moments."""

    act_id: UUID
    new: bool = Field(description="False: the same act was recorded before.")
    standings: list[StandingStory]


def router(database: Database, consenting: Consenting, clock: Clock) -> APIRouter:
    api = APIRouter(prefix="/v1/consents", tags=["consents"])

    @api.post("", summary="Note that a person said yes or no", responses=problem_responses(404))
    async def act(asked: ConsentAct, actor: Annotated[Actor, require(Role.OPERATOR)]) -> Recorded:
        """Every lead of the person gets a revision, and sinks that wait, or should not, are told."""
        now = clock.now()
        if asked.at is not None and not (_LONG_AGO < asked.at <= now):
            raise _invalid("/at", "range", "nobody has said that yet, or can have said it")
        async with database.transaction() as conn:
            contacts = await _contacts(conn, asked, actor)
            declaration = _declaration(asked, contacts, actor, asked.at or now)
            detail = {"action": asked.action, "purposes": asked.purposes, "contacts": _kinds(contacts)}
            await web.audit(conn, actor, f"consent.{asked.action}", f"consent/{declaration.act_id}", detail)
            made = await consenting.declare(conn, declaration)
        async with database.session() as session:
            stand = await standings.standings(session, contacts)
        return Recorded(
            act_id=declaration.act_id, new=bool(made), standings=[_standing(one) for one in stand]
        )

    @api.post("/find", summary="Where a person stands", responses=problem_responses(404))
    async def find(asked: Whom, actor: Annotated[Actor, require(Role.OPERATOR)]) -> ConsentStory:
        """With the words that were said; audited, never logged."""
        async with database.transaction() as conn:
            contacts = await _contacts(conn, asked, actor)
            await web.audit(conn, actor, "consent.find", "consent", {"contacts": _kinds(contacts)})
        async with database.session() as session:
            return ConsentStory(
                standings=[_standing(one) for one in await standings.standings(session, contacts)],
                acts=[_act(one) for one in await standings.acts(session, contacts)],
            )

    return api


async def _contacts(conn: Connection, asked: Whom, actor: Actor) -> tuple[str, ...]:
    """Raises Problem not-found, forbidden, invalid."""
    if asked.lead_id is not None:
        lead = await consents.lead(conn, asked.lead_id)
        if lead is None:
            raise Problem("not-found")
        actor.must_see(lead.dealer.dealer_id)
        return known_by(lead)
    actor.must_be_unlimited(_UNLIMITED)
    phone = () if asked.phone is None else (f"tel:{number_of(asked.phone, asked.country)}",)
    email = () if asked.email is None else (f"mailto:{address_of(asked.email).lower()}",)
    return (*email, *phone)


def _declaration(asked: ConsentAct, contacts: tuple[str, ...], actor: Actor, at: datetime) -> Declaration:
    proof = (actor.subject, *contacts, asked.action, *asked.purposes, at.isoformat(), asked.words or "")
    return Declaration(
        act_id=identity.act_id("operator", *proof, asked.evidence or ""),
        contacts=contacts,
        action=asked.action,
        at=at,
        told_by="operator",
        purposes=tuple(dict.fromkeys(asked.purposes)),
        words=asked.words,
        evidence=asked.evidence,
        actor=actor.subject,
        lead_id=asked.lead_id,
    )


def _kinds(contacts: Sequence[str]) -> list[str]:
    return [_kind(contact) for contact in contacts]


def _kind(contact: str) -> str:
    return contact.partition(":")[0]


def _standing(row: Any) -> StandingStory:
    told = {name: getattr(row, name) for name in StandingStory.model_fields}
    return StandingStory(**{**told, "contact": _kind(row.contact)})


def _act(row: Any) -> ActStory:
    told = {name: getattr(row, name) for name in ActStory.model_fields}
    return ActStory(**{**told, "contact": _kind(row.contact)})


def _invalid(pointer: str, code: str, detail: str) -> Problem:
    return Problem("invalid", errors=[FieldError(detail, code, pointer=pointer)])
