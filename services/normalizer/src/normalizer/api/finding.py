"""`POST /v1/leads/find`: whom a phone number or an e-mail address belongs to.

What is looked for stands in the body: addresses of requests end up in logs of proxies and in histories.
"""

from collections.abc import Collection, Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from leadbus import web
from leadbus.db import Database
from leadbus.web import Actor, FieldError, ListQuery, Page, Problem, Role, problem_responses, require
from leadbus.web.lists import DEFAULT_LIMIT, MAX_LIMIT, Word
from leadbus.web.problems import problem_type
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from normalizer.api.leads import LEADS, LeadSummary, page_found, vin_of
from normalizer.directory import Country
from normalizer.domain.emails import read_email
from normalizer.domain.phones import read_phone
from normalizer.domain.terms import Terms
from normalizer.store.queries import DeliveryState

NO_KEY = problem_type(
    "finding-without-key",
    409,
    "Nobody is found by phone or e-mail here",
    "The service has no key to hash phone numbers and e-mail addresses with, so it kept no hashes of them.",
    "Set `NORMALIZER_FINDING_KEY` (at least 32 bytes, the same in every replica); leads that are stored "
    "already are hashed by themselves.",
)
LONGEST_CONTACT = 320


class Finding(BaseModel):
    """A person, by phone, e-mail or both, and the filters of the list of leads."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    phone: Annotated[
        str | None,
        Field(min_length=1, max_length=LONGEST_CONTACT, repr=False, examples=["+13125550148"]),
    ] = None
    country: Country | None = Field(
        None, description="Where the number would be dialled so; not needed when it begins with +."
    )
    email: Annotated[
        str | None, Field(min_length=1, max_length=LONGEST_CONTACT, repr=False, examples=["dana@example.com"])
    ] = None
    dealer: Word | None = None
    source: Word | None = None
    state: DeliveryState | None = None
    vin: Word | None = None
    test: bool | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    sort: str = Field(LEADS.default_sort, pattern=r"^-?received_at$")
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    cursor: str | None = Field(None, max_length=1000)

    def query(self) -> ListQuery:
        """Raises Problem invalid, invalid-cursor."""
        given: dict[str, Any] = {name: getattr(self, name) for name in LEADS.filters}
        filters = {name: value for name, value in given.items() if value is not None}
        return LEADS.query(filters=filters, sort=self.sort, limit=self.limit, cursor=self.cursor)


def router(database: Database, terms: Terms, terms_before: Terms | None) -> APIRouter:
    """`terms_before`: of the key that is being replaced; leads are found by either."""
    api = APIRouter(tags=["leads"])
    keyed = [each for each in (terms, terms_before) if each is not None and each.key is not None]

    @api.post("/v1/leads/find", summary="Leads of a person", responses=problem_responses(409))
    async def find(asked: Finding, actor: Annotated[Actor, require(Role.OPERATOR)]) -> Page[LeadSummary]:
        """By phone number or e-mail address, as hashes under the service's key; audited, never logged."""
        if not keyed:
            raise Problem(NO_KEY)
        wanted = _wanted(asked, terms, keyed)
        page = await page_found(database, asked.query(), actor, wanted)
        by = [name for name in ("phone", "email") if getattr(asked, name) is not None]
        async with database.transaction() as conn:
            await web.audit(conn, actor, "lead.find", "lead", {"by": by, "found": len(page.items)})
        return page

    return api


def _wanted(asked: Finding, terms: Terms, keyed: Sequence[Terms]) -> list[Collection[str]]:
    """What is looked for, each under every key. Raises Problem invalid for what cannot be read."""
    wanted: list[Collection[str]] = []
    if asked.phone is not None:
        number = number_of(asked.phone, asked.country)
        wanted.append([each.phone(number) for each in keyed])
    if asked.email is not None:
        address = address_of(asked.email)
        wanted.append([each.email(address) for each in keyed])
    if not wanted:
        raise _invalid("/phone", "missing", "give a phone number, an e-mail address, or both")
    if asked.vin is not None:
        wanted.append([terms.vin(vin_of(asked.vin, pointer="/vin"))])
    return wanted


def number_of(written: str, country: str | None) -> str:
    """A number in E.164. Raises Problem invalid."""
    reading = read_phone(written, country)
    if reading.e164 is None:
        what = "no phone number can be read" + ("" if country else "; begin with +, or give the country")
        raise _invalid("/phone", "phone_unreadable", what)
    if reading.warning == "phone_extracted":
        raise _invalid("/phone", "phone_extracted", "give one phone number and nothing beside it")
    return reading.e164


def address_of(written: str) -> str:
    """An e-mail address. Raises Problem invalid."""
    reading = read_email(written)
    if reading.address is None:
        raise _invalid("/email", "email_invalid", "that is no e-mail address")
    return reading.address


def _invalid(pointer: str, code: str, detail: str) -> Problem:
    return Problem("invalid", errors=[FieldError(detail, code, pointer=pointer)])
