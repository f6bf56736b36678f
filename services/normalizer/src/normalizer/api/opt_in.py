"""The link in an exhibitor's own opt-in mail, and the page with the tick box it leads to.

The page is for anybody who has the link and shows nothing of a person. Looking at it says nothing: scanners
of mails open every link; only what its form sends is a yes.
"""

from datetime import datetime, timedelta
from html import escape
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse
from leadbus import web
from leadbus.clock import Clock
from leadbus.contracts.lead import Lead
from leadbus.db import Connection, Database
from leadbus.web import Actor, Problem, Role, problem_responses, problem_type, require
from pydantic import BaseModel, ConfigDict, Field

from normalizer.consenting import Consenting
from normalizer.domain import identity
from normalizer.domain.declarations import Declaration
from normalizer.domain.opt_in import (
    LinkRefusedError,
    OptIn,
    OptInLinks,
    Purpose,
    language_of,
    words_of,
)
from normalizer.domain.opt_in_pages import PAGES, STYLE
from normalizer.store import consents
from normalizer.surroundings import look_at_consents

NO_KEY = problem_type(
    "opt-in-without-key",
    409,
    "No opt-in links are made here",
    "The service has no key to sign opt-in links with.",
    "Set `NORMALIZER_OPT_IN_KEY` (at least 32 bytes, the same in every replica).",
)
WITHDRAWN = problem_type(
    "consent-withdrawn",
    409,
    "This person has withdrawn",
    "Somebody who withdrew consent for this purpose is not asked for it again.",
    "Nothing to do; a withdrawal is final.",
)
_POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Robots-Tag": "noindex",
}
_NO_LINK: dict[int | str, dict[str, Any]] = {
    404: {"description": "It is no link, or no longer one.", "content": {"text/html": {}}},
    410: {"description": "The link has expired.", "content": {"text/html": {}}},
}
Token = Annotated[str, Path(min_length=1, max_length=200, description="As the link has it.")]


class OptInWish(BaseModel):
    """For what to ask, and how long."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose = "nurture"
    days: int = Field(30, ge=1, le=365, description="How long the link can be used.")


class OptInLink(BaseModel):
    """A link for one person's mail; whoever has it can say yes in their name."""

    path: str = Field(description="Where the public reaches this service, this is the page.")
    url: str | None = Field(description="The whole link, where `NORMALIZER_OPT_IN_URL` says the beginning.")
    expires_at: datetime
    words: str = Field(description="What the page has the person agree to.")


def router(
    database: Database, consenting: Consenting, clock: Clock, links: OptInLinks | None, public_url: str | None
) -> APIRouter:
    """Making links, for operators, and the pages they lead to, for everybody."""
    api = APIRouter(tags=["consents"])
    _making(api, database, clock, links, public_url)
    _pages(api, database, consenting, clock, links)
    return api


def _making(
    api: APIRouter, database: Database, clock: Clock, links: OptInLinks | None, public_url: str | None
) -> None:
    @api.post("/v1/leads/{lead_id}/opt-in", summary="Make an opt-in link", responses=problem_responses(409))
    async def make(
        lead_id: UUID, asked: OptInWish, actor: Annotated[Actor, require(Role.OPERATOR)]
    ) -> OptInLink:
        """To be put into a mail to the lead's first e-mail address, and nowhere else; audited."""
        if links is None:
            raise Problem(NO_KEY)
        async with database.transaction() as conn:
            lead = await consents.lead(conn, lead_id)
            if lead is None:
                raise Problem("not-found")
            actor.must_see(lead.dealer.dealer_id)
            if await _refused(conn, lead, asked.purpose):
                raise Problem(WITHDRAWN)
            expires_at = clock.now().replace(microsecond=0) + timedelta(days=asked.days)
            detail = {"purpose": asked.purpose, "expires_at": expires_at.isoformat()}
            await web.audit(conn, actor, "consent.link", f"lead/{lead_id}", detail)
        path = f"/v1/opt-in/{links.make(lead, asked.purpose, expires_at)}"
        url = f"{public_url.rstrip('/')}{path}" if public_url else None
        return OptInLink(path=path, url=url, expires_at=expires_at, words=words_of(asked.purpose, lead))


def _pages(
    api: APIRouter, database: Database, consenting: Consenting, clock: Clock, links: OptInLinks | None
) -> None:
    public: dict[str, Any] = {"response_class": HTMLResponse, "responses": _NO_LINK}

    @api.get("/v1/opt-in/{token}", summary="The page of an opt-in link", **public)
    async def page(token: Token) -> HTMLResponse:
        """What is agreed to, and a button. Opening it agrees to nothing."""
        try:
            opt_in = _read(links, token, clock.now())
            async with database.acquire() as conn:
                lead, _ = await _addressee(conn, links, opt_in)
        except LinkRefusedError as refusal:
            return _refusal(refusal)
        language = language_of(lead)
        button = f'<form method="post"><button>{escape(PAGES[language].agree)}</button></form>'
        return _page(language, words_of(opt_in.purpose, lead), body=button)

    @api.post("/v1/opt-in/{token}", summary="Say yes", **public)
    async def agree(token: Token) -> HTMLResponse:
        """Records the permission. Sent again it changes nothing; a withdrawal before it, or after, stands."""
        try:
            opt_in = _read(links, token, clock.now())
            async with database.transaction() as conn:
                lead, contact = await _addressee(conn, links, opt_in)
                refused = await _refused(conn, lead, opt_in.purpose)
                await consenting.declare(conn, _declaration(opt_in, lead, contact, clock.now()))
        except LinkRefusedError as refusal:
            return _refusal(refusal)
        texts = PAGES[language_of(lead)]
        return _page(language_of(lead), texts.withdrawn if refused else texts.thanks)


def _read(links: OptInLinks | None, token: str, now: datetime) -> OptIn:
    """Strangers' texts cost no look into the database. Raises LinkRefusedError."""
    if links is None:
        raise LinkRefusedError
    return links.read(token, now)


async def _addressee(conn: Connection, links: OptInLinks | None, opt_in: OptIn) -> tuple[Lead, str]:
    """The lead, and the contact of its person that the link was made for. Raises LinkRefusedError."""
    lead = await consents.lead(conn, opt_in.lead_id)
    contact = links.contact_of(opt_in, lead) if links and lead else None
    if lead is None or contact is None:
        raise LinkRefusedError
    return lead, contact


async def _refused(conn: Connection, lead: Lead, purpose: Purpose) -> bool:
    around = await look_at_consents(conn, [lead])
    return around.standing_of(lead, purpose).state == "withdrawn"


def _declaration(opt_in: OptIn, lead: Lead, contact: str, now: datetime) -> Declaration:
    return Declaration(
        act_id=identity.act_id("opt_in", opt_in.proof),
        contacts=tuple(dict.fromkeys((contact, f"lead:{lead.lead_id}"))),
        action="grant",
        at=now,
        told_by="opt_in",
        purposes=(opt_in.purpose,),
        words=words_of(opt_in.purpose, lead),
        evidence="opt-in link",
        lead_id=lead.lead_id,
    )


def _refusal(refusal: LinkRefusedError) -> HTMLResponse:
    texts = PAGES["en"]
    if refusal.expired:
        return _page("en", texts.expired, status=410)
    return _page("en", texts.unknown, status=404)


def _page(language: str, said: str, *, body: str = "", status: int = 200) -> HTMLResponse:
    title = escape(PAGES[language].title)
    return HTMLResponse(
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title><style>{STYLE}</style>'
        f"<main><h1>{title}</h1><p>{escape(said)}</p>{body}</main></html>",
        status_code=status,
        headers=_POLICY,
    )
