"""The dealer directory as settings: `Dealer`, and `Location`, which maps a source's reference to one."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leadbus.contracts.vocabulary import Source
from leadbus.db import Connection, in_turn
from leadbus.settings.documents import InvalidSpec, Kind, Spec
from pydantic import AfterValidator, Field, StringConstraints

from normalizer.domain.emails import read_email
from normalizer.domain.phones import read_phone
from normalizer.quarantining import MAPPING_CHANNEL

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not one line of printable text")
    return text


PrintedLine = Annotated[Line, AfterValidator(_printable)]
"""Ends in mails, where a line break or a hidden character would do harm."""

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not an IANA time zone") from None
    return name


def _email(written: str) -> str:
    address = read_email(written).address
    if address is None:
        raise ValueError("not an e-mail address")
    return address


class AddressSpec(Spec):
    """Where the dealer is."""

    street: Annotated[tuple[Line, ...], Field(max_length=5)] = Field(
        (), title="Street", description="Lines in order."
    )
    apartment: Line | None = Field(None, title="Suite")
    city: Line | None = Field(None, title="City")
    region: Line | None = Field(None, title="State or region", description="Two letters in North America.")
    postal_code: Line | None = Field(None, title="Postal code")
    country: Country | None = Field(None, title="Country", description="ISO 3166 alpha-2.")


class DealerSpec(Spec):
    """A dealer. Leads carry a copy; a change shows in the revisions made after it."""

    name: PrintedLine = Field(title="Name", description="Trading name.")
    legal_name: PrintedLine | None = Field(None, title="Legal name")
    contact: PrintedLine | None = Field(None, title="Contact", description="Person or desk to reach.")
    address: AddressSpec | None = Field(None, title="Address")
    country: Country | None = Field(
        None, title="Country", description="ISO 3166 alpha-2: how phone numbers without prefix are read."
    )
    phone: Line | None = Field(None, title="Phone", description="In E.164, or as dialled in the country.")
    email: Annotated[Line, AfterValidator(_email)] | None = Field(
        None, title="E-mail", description="For people; leads go where a route says."
    )
    time_zone: Annotated[Line, AfterValidator(_time_zone)] | None = Field(
        None, title="Time zone", description="IANA name, such as America/Chicago."
    )
    locale: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")] | None = (
        Field(None, title="Locale", description="BCP 47 tag, such as en-US.")
    )


class LocationSpec(Spec):
    """Whose leads a source means by one of its own references."""

    source: Source = Field(title="Source")
    account: Line | None = Field(
        None, title="Account", description="Only leads that come through this account; empty: any."
    )
    external_id: Line = Field(title="Reference", description="The dealer's id in the source.")
    dealer: Line = Field(title="Dealer", description="Name of the Dealer setting.")


_TAKEN = """
SELECT name FROM setting
 WHERE kind = 'Location' AND spec ->> 'source' = $1 AND spec ->> 'external_id' = $2
   AND coalesce(spec ->> 'account', '') = $3 AND name <> $4
"""


def kinds() -> list[Kind]:
    """The kinds of setting that this service owns."""
    return [
        Kind("Dealer", DealerSpec, check=_check_dealer, on_change=_ring, dealer_of=lambda name, _: name),
        Kind(
            "Location",
            LocationSpec,
            references={"dealer": "Dealer"},
            check=_check_location,
            on_change=_ring,
            dealer_of=lambda _, spec: str(spec.dealer),
        ),
    ]


async def _check_dealer(conn: Connection, name: str, spec: DealerSpec) -> None:
    if spec.phone is not None and read_phone(spec.phone, spec.country).e164 is None:
        raise InvalidSpec("/phone", "not a phone number in the dealer's country", "phone")


async def _check_location(conn: Connection, name: str, spec: LocationSpec) -> None:
    account = spec.account or ""
    await in_turn(conn, f"location {spec.source} {account} {spec.external_id}")
    taken = await conn.fetchval(_TAKEN, spec.source, spec.external_id, account, name)
    if taken is not None:
        raise InvalidSpec("/external_id", f"Location/{taken} maps this reference", "taken")


async def _ring(conn: Connection, name: str, old: Any, new: Any) -> None:
    """Heard when the change is committed, by every replica."""
    await conn.execute("SELECT pg_notify($1, '')", MAPPING_CHANNEL)
