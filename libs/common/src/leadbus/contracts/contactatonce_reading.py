"""ContactAtOnce payloads as they come: strict about what a lead cannot be without, tolerant about the rest.

Ingest's rehearsal and the normalizer read with this one reader, so that both say the same. Of a payload as
published nothing here costs anything but one ``try``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from leadbus.contracts.contactatonce import ContactAtOnceLead
from leadbus.contracts.unread import (
    FAULTS_ONE_BY_ONE,
    UNREAD_PER_FIELD,
    Location,
    Unread,
    UnreadCode,
    verbatim,
)

_ESSENTIAL = (("lead_type",), ("lead_id",), ("dealer",), ("dealer", "id"))
_LINKS = frozenset({"recording_url", "url", "image_url"})
_LISTS = ("related_ids", "vehicles", "transcript")


@dataclass(frozen=True, slots=True)
class Reading:
    """The payload without the values of ``unread``; those whose meaning was plain are put right in it."""

    payload: ContactAtOnceLead
    unread: tuple[Unread, ...] = ()


def read_json(body: bytes) -> Reading:
    """Read the JSON form (UTF-8, no byte order mark).

    Raises pydantic's ValidationError for what is no JSON object, and for lead type, lead id and dealer
    reference; for nothing else.
    """
    try:
        return Reading(ContactAtOnceLead.model_validate_json(body))
    except ValidationError as error:
        try:
            fields = from_json(body)
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            raise
        many = error.error_count() > FAULTS_ONE_BY_ONE
    # Null is absent; of what a lead cannot be without, the one who sent it is told that it was null.
    known = {name: value for name, value in fields.items() if value is not None or (name,) in _ESSENTIAL}
    return _read_doubtful(known, many=many)


def read_xml(elements: dict[str, Any]) -> Reading:
    """Read the XML form: the elements within ``<lead>`` by name, None for an empty one, a list for one that
    stands more than once. Takes ``elements`` over. Raises as ``read_json``."""
    fields = {name: value for name, value in elements.items() if value is not None}
    for name, entry in (("vehicles", "vehicle"), ("transcript", "line")):
        value = fields.get(name)
        if isinstance(value, dict) and entry in value:
            inner = value.pop(entry)
            fields[name] = inner if isinstance(inner, list) else [inner]
            fields |= {f"{name}.{extra}": left for extra, left in value.items()}
    try:
        return Reading(ContactAtOnceLead.model_validate(fields))
    except ValidationError as error:
        return _read_doubtful(fields, many=error.error_count() > FAULTS_ONE_BY_ONE)


def _read_doubtful(fields: dict[str, Any], *, many: bool) -> Reading:
    unread = list(_without_long_lists(fields)) if many else []
    for take_out in (_settled, _settled, _without):
        try:
            return Reading(ContactAtOnceLead.model_validate(fields), tuple(unread))
        except ValidationError as error:
            doubtful = [where for where in _locations(error) if where not in _ESSENTIAL]
            if not doubtful:
                raise
            unread += take_out(fields, doubtful)
    return Reading(ContactAtOnceLead.model_validate(fields), tuple(unread))


def _locations(error: ValidationError) -> list[Location]:
    told = error.errors(include_url=False, include_context=False, include_input=False)
    return [one["loc"][:2] if one["loc"][0] == "related_ids" else one["loc"] for one in told if one["loc"]]


def _without_long_lists(fields: dict[str, Any]) -> Iterable[Unread]:
    for name in _LISTS:
        if isinstance(value := fields.get(name), list | dict) and len(value) > UNREAD_PER_FIELD:
            yield Unread((name,), "value_unread", verbatim(fields.pop(name)))


def _without(fields: dict[str, Any], doubtful: list[Location]) -> list[Unread]:
    """Take whole fields out, whatever it is that was put right and is doubtful still."""
    whole = {str(where[0]) for where in doubtful} - {"dealer"}
    return [Unread((name,), "value_unread", verbatim(fields.pop(name))) for name in sorted(whole)]


def _settled(fields: dict[str, Any], doubtful: list[Location]) -> list[Unread]:
    """Put every doubtful value right or take it out; a field with too many of them is told as a whole."""
    often = Counter(str(where[0]) for where in doubtful)
    whole = {name: verbatim(fields[name]) for name, count in often.items() if count > UNREAD_PER_FIELD}
    unread = [left for where in dict.fromkeys(doubtful) if (left := _settle(fields, where))]
    counts = Counter(str(left.location[0]) for left in unread)
    too_many = {name for name in whole if counts[name] > UNREAD_PER_FIELD}
    return [
        *(left for left in unread if left.location[0] not in too_many),
        *(Unread((name,), "value_unread", whole[name]) for name in sorted(too_many)),
    ]


def _settle(fields: dict[str, Any], where: Location) -> Unread | None:
    holder: Any = fields
    for step in where[:-1]:
        holder = holder[step]
    key = where[-1]
    value = holder.get(key) if isinstance(holder, dict) else holder[key]
    if value is None:
        _leave_out(holder, where, "")
        return None
    if where[0] == "related_ids" and "\x00" in str(key):
        holder[str(key).replace("\x00", "")] = holder.pop(key)
        return None
    if where == ("vehicle",) and isinstance(value, list) and fields.get("vehicles", []) == []:
        fields["vehicles"] = fields.pop("vehicle")
        return None
    plain = _plain(where, value)
    if plain is not None:
        holder[key] = plain
        return None
    text = verbatim(value)
    _leave_out(holder, where, text)
    code: UnreadCode = "link_unusable" if key in _LINKS and isinstance(value, str) else "value_unread"
    return Unread(where, code, text)


def _leave_out(holder: Any, where: Location, text: str) -> None:
    """Without the value, or with what stands in where one is wanted: a conversation loses no word."""
    key = where[-1]
    if where == ("transcript",):
        holder[key] = [{"speaker": "system", "text": text}]
    elif where[0] == "transcript" and isinstance(key, int):
        holder[key] = {"speaker": "system", "text": text}
    elif where[0] == "transcript" and key == "speaker":
        holder[key] = "system"
        if text and holder.get("name") is None:
            holder["name"] = text
    elif where[0] == "transcript" and key == "text":
        holder[key] = text
    elif isinstance(key, int):
        holder[key] = {}
    else:
        holder.pop(key, None)


_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?:[ '\u00a0\u2009\u202f][0-9]{3})+")
_PRICES = (
    re.compile(r"([0-9]{1,3}(?:[, '\u00a0\u2009\u202f][0-9]{3})+)(?:\.([0-9]{1,2}))?"),
    re.compile(r"([0-9]{1,3}(?:[. '\u00a0\u2009\u202f][0-9]{3})+),([0-9]{1,2})"),
)
_LONGEST_NUMBER_CHARS = 40


def _plain(where: Location, value: Any) -> Any:
    """What ``value`` plainly means in that place; None where that cannot be told."""
    key = where[-1] if isinstance(where[-1], str) else ""
    if where == ("related_ids", key):
        return _text(value) if isinstance(value, int) else None
    if where in (("transcript",), ("vehicles",)) and isinstance(value, dict):
        return [value]
    found = _READ.get(key, _text)(value)
    return None if found == value and type(found) is type(value) else found


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return repr(value) if isinstance(value, float) and abs(value) < 1e15 else None


def _nothing(_: Any) -> str | None:
    return None


def _one_of(*known: str, **other: str) -> Callable[[Any], str | None]:
    def read(value: Any) -> str | None:
        word = value.strip().lower() if isinstance(value, str) else ""
        return word if word in known else other.get(word)

    return read


def _currency(value: Any) -> str | None:
    code = value.strip().upper() if isinstance(value, str) else ""
    return code if re.fullmatch("[A-Z]{3}", code) else None


def _whole_number(value: Any) -> str | None:
    written = value.strip() if isinstance(value, str) and len(value) <= _LONGEST_NUMBER_CHARS else ""
    return re.sub("[^0-9]", "", written) if _GROUPED.fullmatch(written) else None


def _price(value: Any) -> str | None:
    written = value.strip() if isinstance(value, str) and len(value) <= _LONGEST_NUMBER_CHARS else ""
    for form in _PRICES:
        if found := form.fullmatch(written):
            whole = re.sub("[^0-9]", "", found[1])
            return f"{whole}.{found[2]}" if found[2] else whole
    return None


_READ: Mapping[str, Callable[[Any], str | None]] = {
    "currency": _currency,
    "mileage": _whole_number,
    "mileage_units": _one_of("mi", "km", miles="mi", kilometers="km", kilometres="km"),
    "duration_seconds": _whole_number,
    "price": _price,
    "status": _one_of("new", "used"),
    "preferred_contact": _one_of("phone", "email", "text"),
    "speaker": _one_of("customer", "agent", "system"),
    **dict.fromkeys(("occurred_at", "started_at", "at", "answered", "test"), _nothing),
    **dict.fromkeys(("customer", "vehicle", "vehicles", "transcript", "call", "related_ids", ""), _nothing),
    **dict.fromkeys(_LINKS, _nothing),
}
