"""`AdfRoute`: where a dealer's leads go, and in which form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from adf_mailer.domain.address import AddrSpec
from adf_mailer.domain.fixed_texts import Language
from adf_mailer.domain.moment import zone
from adf_mailer.domain.party import MissingName
from adf_mailer.domain.subject import DEFAULT, PLACEHOLDERS, check_template


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("a name is one line of printable characters")
    return value


def _known_zone(value: str) -> str:
    if zone(value) is None:
        raise ValueError("not a time zone of the IANA database, such as America/Chicago")
    return value


Words = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_one_line)]


class AdfRoute(BaseModel):
    """One XML Lead Address of one dealer."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    dealer: Words = Field(
        title="Dealer",
        description="Name of the `Dealer` setting whose leads take this route.",
        # Another service owns that kind; `leadbus apply` sees both and checks.
        json_schema_extra={"x-reference": "Dealer"},
    )
    address: AddrSpec = Field(
        title="XML Lead Address",
        description="Address the CRM gave for ADF leads; exactly one. Blanks around it, its @ and its dots "
        "are dropped, and the domain is written in lower case; that is told.",
    )
    crm: Words | None = Field(
        None,
        title="CRM vendor",
        description="Who made the CRM, as `leadbus adf vendors` lists them; its address is compared with the "
        "forms that this vendor is known to give, and oddities are told. Any other name is taken too.",
        examples=["eLead CRM"],
    )
    enabled: bool = Field(True, title="Enabled", description="Off: leads are skipped as `route_disabled`.")
    provider_name: Words | None = Field(
        None,
        title="Provider name",
        description="In provider/name; without it the source's fixed name, such as `ContactAtOnce!`.",
    )
    from_address: AddrSpec | None = Field(
        None,
        title="From address",
        description="Sender, of a domain of ours; without it the service's own. Never the shopper's.",
    )
    from_display: Words | None = Field(
        None, title="From name", description="Shown name of the sender; without it the provider's name."
    )
    subject: Annotated[str, Field(min_length=1), AfterValidator(check_template)] = Field(
        DEFAULT,
        title="Subject",
        description=f"Template; placeholders in braces: {', '.join(PLACEHOLDERS)}.",
    )
    time_zone: Annotated[str, AfterValidator(_known_zone)] | None = Field(
        None,
        title="Time zone",
        description="IANA name for requestdate and transcript; without it the dealer's.",
        examples=["America/Chicago"],
    )
    missing_name: MissingName = Field(
        "contact",
        title="Missing name",
        description="`contact`: phone or e-mail stands in for a name nobody told; `empty`: an empty name.",
    )
    language: Language | None = Field(
        None,
        title="Language",
        description="Of the words we add to comments; without it that of the dealer's locale where it is one "
        "of these, else English. `en` for a CRM that reads lines such as `Call recording: …`.",
    )
    updates: Literal["resend", "ignore"] = Field(
        "resend",
        title="Updates",
        description="`resend` when phone, e-mail, vehicle, transcript or recording changed; `ignore`.",
    )
    send_test_leads: bool = Field(
        False, title="Send test leads", description="Off: test leads are skipped as `test_lead`."
    )


@dataclass(frozen=True, slots=True)
class Route:
    """An `AdfRoute` with the name it is stored under."""

    name: str
    spec: AdfRoute
