"""Alfa-Track: leads as they are detected, and what becomes known about them, in any order."""

from __future__ import annotations

from datetime import datetime

from leadbus.contracts import json_text
from leadbus.contracts.alfatrack import AlfaTrackKnowledge, AlfaTrackLead, AtCall, AtParameter
from leadbus.contracts.alfatrack_reading import Payload, Reading, read_json
from leadbus.contracts.lead import Call, Consent, Email, Name, Phone, SourceId, TranscriptLine, Warning_
from leadbus.contracts.unread import Unread
from pydantic import ValidationError

from normalizer.domain.draft import Draft
from normalizer.domain.emails import read_email
from normalizer.domain.extras import unlisted
from normalizer.domain.html_text import html_to_text, is_html
from normalizer.domain.knowledge import PARAMETERS, Knowledge, Told
from normalizer.domain.local_moment import clocks_in, is_plausible
from normalizer.domain.names import split_name
from normalizer.domain.rejection import Rejection
from normalizer.domain.text import clean, clean_line, told_line
from normalizer.sources.alfatrack_types import LeadType, type_called
from normalizer.sources.charset import UTF8_BOM
from normalizer.sources.document import format_of
from normalizer.sources.invalid import rejection_of

PROVIDER = "Alfa-Track"
"""The tracker's name in the custody chain."""

PLACEHOLDERS = frozenset(
    {"(not set)", "not set", "(not provided)", "not provided", "null", "undefined", "n/a", "-"}
)
"""What analytics systems write where they know nothing. `(direct)` and `(none)` are knowledge."""

_LOCATION = "project.id"
_FIELDS = {
    "client.phone": "customer.phones",
    "client.email": "customer.emails",
    "client.name": "customer.name",
    "message_html": "message",
    "as_of": "attribution",
}
"""Where the lead has what the push calls otherwise; warnings name the lead's fields."""


def read(body: bytes, content_type: str | None) -> Draft | Knowledge:
    """What one push tells: a lead, with what is known of it by then, or knowledge alone.

    Raises Rejection and nothing else.
    """
    if format_of(body, content_type) != "json":
        raise Rejection("unsupported_type", "not JSON", field="content_type")
    body = body.removeprefix(UTF8_BOM)
    mended = json_text.without_half_pairs(body)
    try:
        reader = _Reader(read_json(mended))
    except ValidationError as error:
        raise rejection_of(error, _contract_of(error)) from None
    if mended is not body:
        reader.warn("half_surrogate", "raw")
    return reader.told()


def _contract_of(error: ValidationError) -> type[AlfaTrackLead | AlfaTrackKnowledge]:
    return AlfaTrackKnowledge if error.title == AlfaTrackKnowledge.__name__ else AlfaTrackLead


class _Reader:
    """Reads one push; collects what was doubtful (`warnings`) and what has no field (`extras`)."""

    def __init__(self, reading: Reading) -> None:
        self._payload: Payload = reading.payload
        self._warnings: list[Warning_] = []
        self._extras = unlisted(reading.payload)
        for unread in reading.unread:
            self._keep_unread(unread)

    def told(self) -> Draft | Knowledge:
        parameters = self._parameters()
        if (project := self._payload.project) is not None:
            self._keep(_LOCATION, project.id)
            self._keep("project.name", project.name)
        if isinstance(self._payload, AlfaTrackKnowledge):
            return self._knowledge(self._payload, parameters)
        return self._draft(self._payload, parameters)

    def warn(self, code: str | None, field: str) -> None:
        if code is not None:
            self._warnings.append(Warning_(code=code, field=field))

    def _keep(self, path: str, value: str | None) -> None:
        if value is not None and (text := clean(value)):
            self._extras[path] = text

    def _keep_unread(self, unread: Unread) -> None:
        path = clean(unread.path)
        self._keep(path, unread.value)
        if unread.location[0] == "parameters":
            # A name that the sender chose may tell of a person; extras are masked, warnings are not.
            key = str(unread.location[1]) if len(unread.location) > 1 else ""
            self.warn("value_unread", f"attribution.{key}" if key in PARAMETERS else "attribution")
        else:
            self.warn("value_unread", _FIELDS.get(path, path))

    def _moment(self, value: datetime | None, path: str, field: str | None = None) -> datetime | None:
        """`value` if it can have been then; a clock gone wrong is kept in extras."""
        if value is None or is_plausible(value):
            return value
        self._keep(path, value.isoformat())
        self.warn("time_implausible", field or path)
        return None

    def _parameters(self) -> dict[str, Told]:
        as_of = self._moment(self._payload.as_of, "as_of", "attribution")
        told = ((key, getattr(self._payload.parameters, key)) for key in PARAMETERS)
        read = ((key, self._parameter(key, one, as_of)) for key, one in told if one is not None)
        return {key: one for key, one in read if one is not None}

    def _parameter(self, key: str, told: AtParameter, as_of: datetime | None) -> Told | None:
        value = clean_line(told.value)
        if not value:
            return None
        if value.casefold() in PLACEHOLDERS:
            self._keep(f"parameters.{key}", value)
            self.warn("parameter_placeholder", f"attribution.{key}")
            return None
        own = self._moment(told.as_of, f"parameters.{key}.as_of", f"attribution.{key}")
        return Told(value, own or as_of)

    def _knowledge(self, payload: AlfaTrackKnowledge, parameters: dict[str, Told]) -> Knowledge:
        return Knowledge(
            external_id=clean_line(payload.lead_id),
            parameters=parameters,
            extras=self._extras,
            warnings=tuple(self._warnings),
            test=payload.test,
        )

    def _draft(self, payload: AlfaTrackLead, parameters: dict[str, Told]) -> Draft:
        kind = self._type(payload)
        missed = kind.channel == "phone" and payload.call is not None and payload.call.answered is False
        occurred_at = self._occurred_at(payload, parameters)
        name, emails, phones = self._name(payload), self._emails(payload), self._phones(payload)
        detected_at = self._moment(payload.detected_at, "detected_at")
        message, transcript, call = (
            self._message(payload),
            self._transcript(payload),
            self._call(payload.call),
        )
        return Draft(
            location=clean_line(payload.project.id),
            location_field=_LOCATION,
            source_type=payload.type,
            channel=kind.channel,
            external_id=clean_line(payload.lead_id),
            intents=("inquiry", "callback") if missed else ("inquiry",),
            urgency="high" if missed else "normal",
            occurred_at=occurred_at,
            detected_at=detected_at,
            ids=(SourceId(source=PROVIDER, value=clean_line(payload.lead_id)),),
            name=name,
            emails=emails,
            phones=phones,
            subject=told_line(payload.subject),
            message=message,
            transcript=transcript,
            call=call,
            consent=Consent(basis=kind.consent, purposes=("reply", "sales"), at=occurred_at or detected_at),
            parameters=parameters,
            zoneless=clocks_in(self._extras),
            extras=self._extras,
            warnings=tuple(self._warnings),
            test=payload.test,
        )

    def _type(self, payload: AlfaTrackLead) -> LeadType:
        kind = type_called(clean_line(payload.type))
        if kind.channel == "unknown":
            self.warn("type_unknown", "source_type")
        return kind

    def _occurred_at(self, payload: AlfaTrackLead, parameters: dict[str, Told]) -> datetime | None:
        """What is told; else when it was sent, the call began, or the first line was said."""
        told = self._moment(payload.occurred_at, "occurred_at")
        sent_at = _aware(parameters["sent_at"].value) if "sent_at" in parameters else None
        call, lines = payload.call, payload.transcript
        others = (sent_at, call.started_at if call else None, *(line.at for line in lines))
        return told or next((at for at in others if at and is_plausible(at)), None)

    def _name(self, payload: AlfaTrackLead) -> Name:
        written = told_line(payload.client.name)
        if written is None:
            return Name()
        reading = split_name(written)
        self.warn(reading.warning, "customer.name")
        return reading.name

    def _emails(self, payload: AlfaTrackLead) -> tuple[Email, ...]:
        written = told_line(payload.client.email)
        if written is None:
            return ()
        reading = read_email(written)
        self.warn(reading.warning, "customer.emails.0")
        return (Email(address=reading.address, raw=reading.raw),)

    def _phones(self, payload: AlfaTrackLead) -> tuple[Phone, ...]:
        raw = told_line(payload.client.phone)
        return (Phone(raw=raw),) if raw else ()

    def _message(self, payload: AlfaTrackLead) -> str | None:
        """What was written, as plain text; HTML in the place of text is told."""
        told = clean(payload.message or "")
        if told and is_html(told):
            self.warn("message_was_html", "message")
            return html_to_text(told) or None
        return told or html_to_text(payload.message_html or "") or None

    def _transcript(self, payload: AlfaTrackLead) -> tuple[TranscriptLine, ...]:
        return tuple(
            TranscriptLine(
                at=self._moment(line.at, f"transcript.{index}.at"),
                speaker=line.speaker,
                name=told_line(line.name),
                text=clean(line.text),
            )
            for index, line in enumerate(payload.transcript)
            if clean(line.text)
        )

    def _call(self, told: AtCall | None) -> Call | None:
        if told is None:
            return None
        return Call(
            recording_url=told_line(told.recording_url),
            started_at=self._moment(told.started_at, "call.started_at"),
            duration_seconds=told.duration_seconds,
            tracking_number=told_line(told.tracking_number),
            answered=told.answered,
        )


def _aware(written: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
