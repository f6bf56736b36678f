"""`/v1/crm-vendors`: which addresses CRM vendors are known to give for ADF leads."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from leadbus.web import Actor, Problem, problem_responses, require
from leadbus.web.problems import NOT_FOUND
from pydantic import BaseModel, Field

from adf_mailer.domain import crm_vendors
from adf_mailer.domain.crm_profiles import of_vendor
from adf_mailer.domain.crm_vendors import Pattern, Suggestion, Vendor

Viewer = Annotated[Actor, require("viewer")]


class PatternView(BaseModel):
    """Form of an address."""

    pattern: str = Field(description="{name}, {number}: the dealer's; else what only the vendor knows.")
    told: Literal["chart", "seen"] = Field(
        description="chart: a published chart of conventions. seen: met in public configurations."
    )
    vehicles: Literal["new", "used"] | None = Field(description="The leads it is for, where that differs.")

    @classmethod
    def of(cls, pattern: Pattern) -> "PatternView":
        return cls(pattern=pattern.text, told=pattern.told, vehicles=pattern.vehicles)


class VendorView(BaseModel):
    """A maker of CRMs, or whoever runs the domain."""

    name: str
    patterns: list[PatternView] = Field(description="Empty where none is known.")
    profile: str = Field(description="CRM profile of its routes that name no other, as `/v1/crm-profiles`.")

    @classmethod
    def of(cls, vendor: Vendor) -> "VendorView":
        return cls(
            name=vendor.name,
            patterns=[PatternView.of(pattern) for pattern in vendor.patterns],
            profile=of_vendor(vendor.name).name,
        )


class Vendors(BaseModel):
    items: list[VendorView]


class SuggestionView(PatternView):
    """An address that the vendor may have given. Only the vendor knows: ask it, and send a test lead."""

    vendor: str
    address: str | None = Field(description="Null where something has to be known that was not told.")
    missing: list[str] = Field(description="What that is.")

    @classmethod
    def of_suggestion(cls, one: Suggestion) -> "SuggestionView":
        shown = PatternView.of(one.pattern).model_dump()
        return cls(**shown, vendor=one.vendor, address=one.address, missing=list(one.missing))


class Suggestions(BaseModel):
    items: list[SuggestionView]


def router() -> APIRouter:
    """For viewers: it is the same for everybody."""
    api = APIRouter(prefix="/v1/crm-vendors", tags=["CRM vendors"])

    @api.get("", summary="CRM vendors and the forms of their addresses")
    async def vendors(_: Viewer) -> Vendors:
        return Vendors(items=[VendorView.of(vendor) for vendor in crm_vendors.VENDORS.values()])

    @api.get(
        "/suggestions",
        summary="Addresses that a vendor may have given to a dealer",
        responses=problem_responses(404),
    )
    async def suggestions(
        _: Viewer,
        vendor: Annotated[str, Query(max_length=100, description="As listed, in any case.")],
        dealer_name: Annotated[str | None, Query(max_length=200)] = None,
        dealer_number: Annotated[
            str | None, Query(max_length=20, description="The dealer's number with the vendor.")
        ] = None,
    ) -> Suggestions:
        known = crm_vendors.find(vendor)
        if known is None:
            names = ", ".join(one.name for one in crm_vendors.VENDORS.values())
            raise Problem(NOT_FOUND, f"no vendor of that name is known here; there are {names}")
        found = crm_vendors.suggest(known, dealer_name, dealer_number)
        return Suggestions(items=[SuggestionView.of_suggestion(one) for one in found])

    return api
