"""`AdfRoute`: where a dealer's leads go, and in which form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from leadbus.contracts.vocabulary import Intent
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from adf_mailer.domain.address import AddrSpec
from adf_mailer.domain.conditions import VehicleClass, pairs
from adf_mailer.domain.fixed_texts import Language
from adf_mailer.domain.form import MailForm
from adf_mailer.domain.moment import zone
from adf_mailer.domain.party import MissingName
from adf_mailer.domain.provider import LeadType
from adf_mailer.domain.reply_to import ReplyTo
from adf_mailer.domain.sensitive import KINDS, Kind
from adf_mailer.domain.subject import DEFAULT, PLACEHOLDERS, check_template


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("a name is one line of printable characters")
    return value


def _known_zone(value: str) -> str:
    if zone(value) is None:
        raise ValueError("not a time zone of the IANA database, such as America/Chicago")
    return value


MAX_ADDRESSES = 10
"""In each list of a route."""

Addresses = Annotated[tuple[AddrSpec, ...], Field(max_length=MAX_ADDRESSES)]
LEAST_DOCUMENT_BYTES = 8_000


def _room_for_a_lead(value: int) -> int:
    if value < LEAST_DOCUMENT_BYTES:
        raise ValueError(
            f"below {LEAST_DOCUMENT_BYTES} bytes there is no room for who wants what and the dealer's answer"
        )
    return value


Words = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_one_line)]
SourceType = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]


class AdfRoute(BaseModel):
    """Which leads of a dealer go where: to the addresses of one CRM, copies of it, and people."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    dealer: Words = Field(
        title="Dealer",
        description="Name of the `Dealer` setting whose leads take this route.",
        # Another service owns that kind; `leadbus apply` sees both and checks.
        json_schema_extra={"x-reference": "Dealer"},
    )
    intents: tuple[Intent, ...] = Field(
        (),
        title="Intents",
        description="Only leads that ask for one of these. `inquiry` is a lead that asks for nothing else. "
        "Empty: any.",
        examples=[["test_drive", "callback"]],
    )
    vehicle: tuple[VehicleClass, ...] = Field(
        (),
        title="Vehicle",
        description="Only leads about a `new` or a `used` vehicle, or about `service`. Empty: any, also "
        "those that do not tell.",
        examples=[["used"]],
    )
    address: AddrSpec = Field(
        title="XML Lead Address",
        description="Address the CRM gave for ADF leads; exactly one. Blanks around it, its @ and its dots "
        "are dropped, and the domain is written in lower case; that is told.",
    )
    more_addresses: Addresses = Field(
        (),
        title="More XML Lead Addresses",
        description=f"Each gets the lead as `address` does, in a mail of its own; at most {MAX_ADDRESSES}.",
    )
    copies: Addresses = Field(
        (),
        title="Copies",
        description="Each gets the same document in a mail of its own, marked `X-Leadbus-Copy`; "
        f"at most {MAX_ADDRESSES}.",
    )
    notify: Addresses = Field(
        (),
        title="Notify",
        description="People: each gets a mail to read, not ADF, about every lead of this route, and one when "
        f"an XML Lead Address of it is suspended; at most {MAX_ADDRESSES}.",
    )
    alternate_address: AddrSpec | None = Field(
        None,
        title="Alternate address",
        description="Gets the lead where an XML Lead Address of this route refuses it as no such mailbox.",
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
        description="In provider/name; without it the source's fixed name, such as `ContactAtOnce!`, or "
        "that of the ADF document it came as.",
    )
    lead_types: dict[SourceType, LeadType] = Field(
        default_factory=dict,
        title="Lead types",
        description="By the source's own type, as `Chat`: provider name and service of such leads, byte for "
        "byte. What is not named stays.",
        examples=[{"Chat": {"service": "Live Chat"}}],
    )
    from_address: AddrSpec | None = Field(
        None,
        title="From address",
        description="Sender, of a domain of ours; without it the service's own. Never the shopper's.",
    )
    from_display: Words | None = Field(
        None, title="From name", description="Shown name of the sender; without it the provider's name."
    )
    reply_to: ReplyTo = Field(
        "none",
        title="Reply-To",
        description="Where an answer goes: `none`: to the sender; `customer`: to the shopper's e-mail; "
        "`dealer`: to the dealer's. Without a usable address there is none, and a warning.",
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
    form: MailForm | None = Field(
        None,
        title="Form",
        description="Profile, layout and spelling of the mail; what is left out is as the CRM is known to "
        "take it, else as most do.",
        examples=[{"profile": "adf-multipart"}, {"layout": "attachment", "attachment_name": "adf.xml"}],
    )
    missing_name: MissingName = Field(
        "contact",
        title="Missing name",
        description="`contact`: phone or e-mail stands in for a name nobody told; `empty`: an empty name.",
    )
    language: Language | None = Field(
        None,
        title="Language",
        description="Of the words we add to comments, in place of personal data and beside a document that "
        "is a part of its mail; without it that of the dealer's locale where it is one of these, else "
        "English. `en` for a CRM that reads lines such as `Call recording: …`.",
    )
    updates: Literal["resend", "ignore"] = Field(
        "resend",
        title="Updates",
        description="`resend` when phone, e-mail, vehicle, transcript or recording changed; `ignore`.",
    )
    sensitive: Literal["mask", "hold", "send"] = Field(
        "mask",
        title="Personal data",
        description="What becomes of social security, card, licence and account numbers, dates of birth and "
        "incomes in texts: `mask`, a mark in their place; `hold`, the lead is skipped as `sensitive`, and "
        "masked when an operator redrives it; `send`, as given, only for systems that may hold it.",
    )
    sensitive_kinds: tuple[Kind, ...] = Field(
        KINDS,
        title="Kinds of personal data",
        description="What is looked for under `mask` and `hold`.",
    )
    document_bytes: Annotated[int, AfterValidator(_room_for_a_lead)] | None = Field(
        None,
        title="Largest document",
        description=f"In bytes, at least {LEAST_DOCUMENT_BYTES}. Over it the middle of the transcript is "
        "left out, then free texts are cut, with a link to the whole (LEAD_LINK). None: all is sent.",
    )
    send_test_leads: bool = Field(
        False, title="Send test leads", description="Off: test leads are skipped as `test_lead`."
    )

    @field_validator("intents", "vehicle")
    @classmethod
    def _each_named_once(cls, named: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({one for one in named if named.count(one) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")
        return named

    @field_validator("vehicle")
    @classmethod
    def _can_be(cls, vehicle: tuple[VehicleClass, ...], info: ValidationInfo) -> tuple[VehicleClass, ...]:
        if not pairs(info.data.get("intents", ()), vehicle):
            raise ValueError(
                "no lead has these intents and is of these classes: one that asks for service is of the "
                "class `service`, and no other is"
            )
        return vehicle

    @field_validator("more_addresses", "copies", "notify")
    @classmethod
    def _each_address_once(cls, addresses: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """In the whole route; those fields are looked at that stand before this one."""
        seen = {one.lower(): field for field, one in _addresses(info.data)}
        for place, address in enumerate(addresses, start=1):
            if other := seen.get(address.lower()):
                raise ValueError(f"number {place} stands in `{other}` already: one mail per address")
            seen[address.lower()] = str(info.field_name)
        return addresses

    @field_validator("alternate_address")
    @classmethod
    def _another_one(cls, address: str | None, info: ValidationInfo) -> str | None:
        there = {one.lower() for field, one in _addresses(info.data) if field != "notify"}
        if address is not None and address.lower() in there:
            raise ValueError("stands in the route already: give one that works when that one does not")
        return address


def _addresses(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, address) of fields that were read without complaint."""
    if "address" in fields:
        yield "address", fields["address"]
    for name in ("more_addresses", "copies", "notify"):
        for address in fields.get(name, ()):
            yield name, address


@dataclass(frozen=True, slots=True)
class Route:
    """An `AdfRoute` with the name it is stored under."""

    name: str
    spec: AdfRoute


def kinds_kept_from(spec: AdfRoute) -> tuple[Kind, ...]:
    """The kinds of personal data that no mail of this route shows."""
    return () if spec.sensitive == "send" else spec.sensitive_kinds
