"""`/v1/crm-profiles`: which forms of mail receivers are known to take."""

from typing import Annotated, Literal

from fastapi import APIRouter
from leadbus.web import Actor, require
from pydantic import BaseModel, Field

from adf_mailer.domain.crm_profiles import PROFILES, Profile
from adf_mailer.domain.shape import FormFields

Viewer = Annotated[Actor, require("viewer")]


class ProfileView(BaseModel):
    """A form of mail."""

    name: str
    known: Literal["told", "seen"] = Field(
        description="told: the receiver, a sender that serves it, or the standard says so. "
        "seen: met in public."
    )
    why: str
    form: FormFields = Field(description="What is known; the rest, null, is as in any other mail.")
    subject: list[str] = Field(description="Placeholders that the subject must have.")
    vendors: list[str] = Field(description="Whose routes take it when they name no other.")

    @classmethod
    def of(cls, profile: Profile) -> "ProfileView":
        return cls(
            name=profile.name,
            known=profile.known,
            why=profile.why,
            form=profile.form,
            subject=list(profile.subject),
            vendors=list(profile.vendors),
        )


class Profiles(BaseModel):
    items: list[ProfileView]


def router() -> APIRouter:
    """For viewers: it is the same for everybody."""
    api = APIRouter(prefix="/v1/crm-profiles", tags=["CRM vendors"])

    @api.get("", summary="Forms of mail that receivers are known to take")
    async def profiles(_: Viewer) -> Profiles:
        return Profiles(items=[ProfileView.of(profile) for profile in PROFILES.values()])

    return api
