"""The setting `form` of a route: a profile, and what this route has otherwise."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, Field

from adf_mailer.domain import crm_profiles
from adf_mailer.domain.crm_profiles import PROFILES, Profile
from adf_mailer.domain.shape import DEFAULT, FormFields, Shape, shaped

_KEPT = 4096


def _known_profile(value: str) -> str:
    if value not in PROFILES:
        raise ValueError(f"no profile of that name; there are {', '.join(PROFILES)}")
    return value


class MailForm(FormFields):
    """Every field may be left out: then the profile says, and else the default."""

    profile: Annotated[str, AfterValidator(_known_profile)] | None = Field(
        None,
        title="CRM profile",
        description="Form that a receiver is known to take, as `leadbus adf profiles` lists them. Otherwise "
        "the one of the route's CRM vendor, else `default`.",
        examples=["elead"],
    )


def profile_of(form: MailForm | None, crm: str | None) -> Profile:
    """The profile that `form` names, else that of the vendor `crm`, else the default one."""
    named = form.profile if form else None
    return PROFILES[named] if named else crm_profiles.of_vendor(crm)


def shape_of(form: MailForm | None, crm: str | None) -> Shape:
    """What the mails of a route look like that says `form` and `crm`."""
    return DEFAULT if form is None and crm is None else _shape(form, crm)


@lru_cache(_KEPT)
def _shape(form: MailForm | None, crm: str | None) -> Shape:
    return shaped(*filter(None, (form, profile_of(form, crm).form)))
