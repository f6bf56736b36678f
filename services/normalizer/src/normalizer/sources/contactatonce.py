"""ContactAtOnce: calls, chats and texts that the provider pushes as they end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from leadbus.contracts import json_text
from leadbus.contracts.contactatonce import CaoCustomer, CaoLine, CaoVehicle, ContactAtOnceLead
from leadbus.contracts.contactatonce_reading import Reading, read_json, read_xml
from leadbus.contracts.lead import (
    Call,
    Colour,
    Consent,
    Email,
    Name,
    Odometer,
    Phone,
    Price,
    SourceId,
    TranscriptLine,
    Vehicle,
    Warning_,
)
from leadbus.contracts.unread import Unread
from leadbus.contracts.vocabulary import Channel, ConsentBasis, Intent, PhoneType, Urgency
from pydantic import ValidationError

from normalizer.domain.draft import Draft
from normalizer.domain.emails import read_email
from normalizer.domain.extras import unlisted
from normalizer.domain.local_moment import clocks_in, is_plausible
from normalizer.domain.names import read_name
from normalizer.domain.text import clean, clean_line, told_line, told_text
from normalizer.domain.vin import read_vin
from normalizer.sources.charset import UTF8_BOM
from normalizer.sources.document import format_of, parse_xml
from normalizer.sources.invalid import rejection_of

PROVIDER = "ContactAtOnce!"
"""The provider's name in the custody chain, as its portal and its ADF write it."""

_LOCATION = "dealer.id"
_FIELDS = {
    "customer.phone": "customer.phones",
    "customer.email": "customer.emails",
    "customer.first_name": "customer.name",
    "customer.last_name": "customer.name",
    "comments": "message",
}
"""Where the lead has what the payload calls otherwise; warnings name the lead's fields."""
_LARGEST_PRICE = 10**12


@dataclass(frozen=True, slots=True)
class _Type:
    channel: Channel
    intents: tuple[Intent, ...]
    consent: ConsentBasis
    urgency: Urgency
    phone: PhoneType = "unknown"


_TYPES: Mapping[str, _Type] = {
    "ClickForCallBack": _Type("phone", ("callback",), "form", "high"),
    "Chat": _Type("chat", ("inquiry",), "request", "high"),
    "TextToChat": _Type("text", ("inquiry",), "request", "high", "cellphone"),
    "TrackedCall": _Type("phone", ("inquiry",), "request", "normal"),
}
_MISSED_CALL = _Type("phone", ("inquiry", "callback"), "request", "high")


def read(body: bytes, content_type: str | None) -> Draft:
    """The draft that one push tells; raises Rejection and nothing else."""
    try:
        if format_of(body, content_type) == "json":
            return _from_json(body.removeprefix(UTF8_BOM))
        return _Reader(read_xml(parse_xml(body, "lead", content_type))).draft()
    except ValidationError as error:
        raise rejection_of(error, ContactAtOnceLead) from None


def _from_json(body: bytes) -> Draft:
    mended = json_text.without_half_pairs(body)
    reader = _Reader(read_json(mended))
    if mended is not body:
        reader.warn("half_surrogate", "raw")
    return reader.draft()


class _Reader:
    """Reads one payload; collects what was doubtful (`warnings`) and what has no field (`extras`)."""

    def __init__(self, reading: Reading) -> None:
        payload = reading.payload
        self._payload = payload
        self._type = _type_of(payload)
        self._warnings: list[Warning_] = []
        self._extras = unlisted(payload)
        # Those of the vehicles wait until it is known which one they belong to.
        self._of_vehicles: dict[int, list[Unread]] = {}
        for unread in reading.unread:
            place = _vehicle_place(unread, payload)
            if place is None:
                self._keep_unread(unread, unread.path)
            else:
                self._of_vehicles.setdefault(place, []).append(unread)

    def draft(self) -> Draft:
        payload = self._payload
        emails, phones = self._emails(payload.customer), self._phones(payload.customer)
        occurred_at, transcript = self._occurred_at(), self._transcript()
        whole = len(transcript) == len(payload.transcript)
        self._keep("dealer.name", payload.dealer.name)
        self._keep("lead_source", payload.lead_source)
        self._keep("customer.preferred_contact", payload.customer.preferred_contact)
        return Draft(
            location=clean_line(payload.dealer.id),
            location_field=_LOCATION,
            source_type=payload.lead_type,
            channel=self._type.channel,
            external_id=clean_line(payload.lead_id),
            intents=self._type.intents,
            urgency=self._type.urgency,
            occurred_at=occurred_at,
            ids=self._ids(),
            name=self._name(payload.customer),
            emails=emails,
            phones=phones,
            vehicles=self._vehicles(),
            message=told_text(payload.comments),
            transcript=transcript,
            call=self._call(),
            consent=Consent(basis=self._type.consent, purposes=("reply", "sales"), at=occurred_at),
            zoneless=clocks_in(self._extras, lines=len(transcript) if whole else 0),
            extras=self._extras,
            warnings=tuple(self._warnings),
            test=payload.test,
        )

    def warn(self, code: str | None, field: str) -> None:
        if code is not None:
            self._warnings.append(Warning_(code=code, field=field))

    def _keep(self, path: str, value: object) -> None:
        if value is not None and (text := clean(str(value))):
            self._extras[path] = text

    def _keep_unread(self, unread: Unread, path: str) -> None:
        self._keep(path, unread.value)
        # A name that the sender chose may tell of a person; extras are masked, warnings are not.
        self.warn(
            unread.code, "related_ids" if unread.location[0] == "related_ids" else _FIELDS.get(path, path)
        )

    def _moment(self, value: datetime | None, path: str) -> datetime | None:
        """`value` if a lead can have happened then; a clock gone wrong is kept in extras."""
        if value is None or is_plausible(value):
            return value
        self._keep(path, value.isoformat())
        self.warn("time_implausible", path)
        return None

    def _occurred_at(self) -> datetime | None:
        """What is told; else when the call began or the first line was said."""
        told = self._moment(self._payload.occurred_at, "occurred_at")
        call, lines = self._payload.call, self._payload.transcript
        others = (call.started_at if call else None, *(line.at for line in lines))
        return told or next((at for at in others if at and is_plausible(at)), None)

    def _ids(self) -> tuple[SourceId, ...]:
        related = (
            SourceId(source=f"{PROVIDER} {label}", value=value)
            for name, written in self._payload.related_ids.items()
            if (label := clean_line(name)) and (value := clean_line(written))
        )
        return (SourceId(source=PROVIDER, value=clean_line(self._payload.lead_id)), *related)

    def _name(self, customer: CaoCustomer) -> Name:
        parts = told_line(customer.first_name), told_line(customer.last_name)
        reading = read_name(*parts, told_line(customer.name))
        self.warn(reading.warning, "customer.name")
        return reading.name

    def _emails(self, customer: CaoCustomer) -> tuple[Email, ...]:
        if not told_line(customer.email):
            return ()
        reading = read_email(customer.email or "")
        self.warn(reading.warning, "customer.emails.0")
        return (
            Email(address=reading.address, raw=reading.raw, primary=customer.preferred_contact == "email"),
        )

    def _phones(self, customer: CaoCustomer) -> tuple[Phone, ...]:
        raw = told_line(customer.phone)
        preferred = customer.preferred_contact in ("phone", "text")
        return (Phone(raw=raw, type=self._type.phone, primary=preferred),) if raw else ()

    def _vehicles(self) -> tuple[Vehicle, ...]:
        # By what is written in them: comparing each with each would take hours for a hostile list.
        told: dict[object, tuple[CaoVehicle, list[Unread]]] = {}
        vehicles = self._payload.all_vehicles
        if len(vehicles) == 1 and not self._of_vehicles and (vehicles[0].make or vehicles[0].vin):
            return (self._vehicle(0, vehicles[0], []),)
        for place, vehicle in enumerate(vehicles):
            unread = self._of_vehicles.get(place, [])
            values = tuple((one.location[-1], one.value) for one in unread)
            told.setdefault((vehicle.model_dump_json(exclude_none=True), values), (vehicle, unread))
        told.pop(("{}", ()), None)
        return tuple(self._vehicle(index, *one) for index, one in enumerate(told.values()))

    def _vehicle(self, index: int, told: CaoVehicle, unread: list[Unread]) -> Vehicle:
        path = f"vehicles.{index}"
        for one in unread:
            self._keep_unread(one, f"{path}.{one.location[-1]}")
        units_told = not any(one.location[-1] == "mileage_units" for one in unread)
        vin, doubt = self._vin(told.vin, path)
        colour = Colour(exterior=told_line(told.exterior_color), interior=told_line(told.interior_color))
        return Vehicle(
            interest="buy",
            status=told.status or "unknown",
            wanted=index == 0,
            year=told_line(told.year),
            make=told_line(told.make),
            model=told_line(told.model),
            trim=told_line(told.trim),
            body=told_line(told.body),
            vin=vin,
            vin_warning=doubt,
            stock=told_line(told.stock_number),
            odometer=_odometer(told, units_told=units_told),
            colours=(colour,) if colour.exterior or colour.interior else (),
            prices=self._prices(told, path),
            url=told_line(told.url),
            image=told_line(told.image_url),
        )

    def _vin(self, written: str | None, path: str) -> tuple[str | None, str | None]:
        if not told_line(written):
            return None, None
        reading = read_vin(written or "")
        self.warn(reading.warning, f"{path}.vin")
        if reading.vin is None:
            self._keep(f"{path}.vin", reading.raw)
            return None, None
        return reading.vin, reading.warning and reading.warning.removeprefix("vin_")

    def _prices(self, told: CaoVehicle, path: str) -> tuple[Price, ...]:
        if told.price is None:
            return ()
        if not 0 <= told.price <= _LARGEST_PRICE or told.price.as_tuple().exponent < -6:  # type: ignore[operator]
            self._keep(f"{path}.price", told.price)
            self.warn("price_implausible", f"{path}.price")
            return ()
        return (Price(kind="asking", amount=told.price, currency=told.currency),)

    def _transcript(self) -> tuple[TranscriptLine, ...]:
        lines = enumerate(self._payload.transcript)
        return tuple(self._line(index, line) for index, line in lines if clean(line.text))

    def _line(self, index: int, line: CaoLine) -> TranscriptLine:
        at = self._moment(line.at, f"transcript.{index}.at")
        return TranscriptLine(at=at, speaker=line.speaker, name=told_line(line.name), text=clean(line.text))

    def _call(self) -> Call | None:
        told = self._payload.call
        if told is None:
            return None
        return Call(
            recording_url=told_line(told.recording_url),
            started_at=self._moment(told.started_at, "call.started_at"),
            duration_seconds=told.duration_seconds,
            tracking_number=told_line(told.tracking_number),
            answered=told.answered,
        )


def _type_of(payload: ContactAtOnceLead) -> _Type:
    missed = payload.lead_type == "TrackedCall" and payload.call and payload.call.answered is False
    return _MISSED_CALL if missed else _TYPES[payload.lead_type]


def _vehicle_place(unread: Unread, payload: ContactAtOnceLead) -> int | None:
    """The place in `all_vehicles` of the vehicle that lacks the value; None when it lacks to no vehicle."""
    match unread.location:
        case ("vehicle", _):
            return 0
        case ("vehicles", int(index), _):
            return index + (1 if payload.vehicle else 0)
    return None


def _odometer(told: CaoVehicle, *, units_told: bool) -> Odometer | None:
    if told.mileage is None:
        return None
    return Odometer(value=told.mileage, units=told.mileage_units or ("mi" if units_told else "unknown"))
