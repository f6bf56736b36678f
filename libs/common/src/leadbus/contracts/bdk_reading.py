"""BDK messages as they come: strict about what a lead cannot be without, tolerant about the rest.

Ingest and the normalizer read with this one reader, so that both say the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Literal, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from leadbus.contracts.bdk import LEAD_TYPE_ID, MISSPELT_LEAD_TYPE_ID, BdkLead, BdkNotification
from leadbus.contracts.unread import verbatim

NoteCode = Literal["value_unread", "birth_data_left_out"]
ESSENTIAL = frozenset({"leadId", "partnerNumber"})
"""What a lead cannot be without; a notification needs the first."""

_OTHER_NAMES: Mapping[str, str] = {
    MISSPELT_LEAD_TYPE_ID: LEAD_TYPE_ID,
    "first": "firstName",
    "last": "lastName",
    "occurredAt": "createdAt",
    "occurred_at": "createdAt",
}
_BIRTH = re.compile(r"birth|geburt|^dob$|^geb_?dat", re.IGNORECASE)

Payload = TypeVar("Payload", BdkLead, BdkNotification)


@dataclass(frozen=True, slots=True)
class Note:
    """A value left out of the payload: where it stood, why, and what it was (JSON where it was no text)."""

    path: str
    code: NoteCode
    value: str


@dataclass(frozen=True, slots=True)
class Reading(Generic[Payload]):
    """The payload without the values that ``notes`` tell of."""

    payload: Payload
    notes: tuple[Note, ...] = ()


def read_lead(body: bytes) -> Reading[BdkLead]:
    """Read a lead, fat notification or answer to a GET (JSON in UTF-8, no byte order mark).

    Names may be in snake case too, and what a notification calls ``occurredAt`` is when the lead came into
    being unless ``createdAt`` says so. Data of birth is left out wherever it stands: no lead carries it.
    Raises pydantic's ValidationError for what is no JSON object, and for lead id and partner number; for
    nothing else.
    """
    return _read(body, BdkLead, ESSENTIAL)


def read_notification(body: bytes) -> Reading[BdkNotification]:
    """Read a notification, thin or fat. Raises as ``read_lead``, of the fields only for the lead id."""
    return _read(body, BdkNotification, frozenset({"leadId"}))


def _read(body: bytes, model: type[Payload], essential: frozenset[str]) -> Reading[Payload]:
    fields = _object(body, model)
    notes: list[Note] = []
    if _has_birth_data(fields):
        fields = _without_birth_data(fields)
        notes.append(Note("customer", "birth_data_left_out", ""))
    fields = _named(_without_nul(fields), model, essential)
    while True:
        try:
            return Reading(model.model_validate(fields), tuple(notes))
        except ValidationError as error:
            left = list(_left_out(fields, error, essential))
            if not left:
                raise
            notes += left


def _object(body: bytes, model: type[Payload]) -> Any:
    try:
        return from_json(body)
    except ValueError:
        # Says the same as an error of validation.
        model.model_validate_json(body)
        raise


def _has_birth_data(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_BIRTH.search(name) or _has_birth_data(entry) for name, entry in value.items())
    return isinstance(value, list) and any(_has_birth_data(entry) for entry in value)


def _without_birth_data(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_birth_data(entry) for name, entry in value.items() if not _BIRTH.search(name)}
    return [_without_birth_data(entry) for entry in value] if isinstance(value, list) else value


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, dict):
        return {name.replace("\x00", ""): _without_nul(entry) for name, entry in value.items()}
    return [_without_nul(entry) for entry in value] if isinstance(value, list) else value


def _named(fields: Any, model: type[BaseModel], essential: frozenset[str] = frozenset()) -> Any:
    """Fields by the names of the contract; null is absent but for what is essential."""
    if not isinstance(fields, dict):
        return fields
    names, holding = _names(model), _holding(model)
    named: dict[str, Any] = {}
    # In the order of their spelling: of two spellings the contract's own counts, the other one is kept.
    for written in sorted(fields, key=lambda name: name not in holding):
        name = names.get(written, written)
        if name in named:
            name = written
        value = fields[written]
        if value is not None or name in essential:
            inner = holding.get(name)
            named[name] = _named(value, inner) if inner else value
    return named


@cache
def _names(model: type[BaseModel]) -> Mapping[str, str]:
    aliases = {name: field.serialization_alias or name for name, field in model.model_fields.items()}
    own = set(aliases.values())
    return {**aliases, **{other: name for other, name in _OTHER_NAMES.items() if name in own}}


@cache
def _holding(model: type[BaseModel]) -> Mapping[str, type[BaseModel] | None]:
    """The contract's names, each with the model that it holds."""
    return {
        field.serialization_alias or name: next(_models_in(field.annotation), None)
        for name, field in model.model_fields.items()
    }


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _left_out(fields: Any, error: ValidationError, essential: frozenset[str]) -> Iterator[Note]:
    if not isinstance(fields, dict):
        return
    told = error.errors(include_url=False, include_context=False, include_input=False)
    for where in dict.fromkeys(one["loc"] for one in told):
        if not where or where[0] in essential:
            continue
        *steps, key = where
        holder = fields
        for step in steps:
            holder = holder[step]
        if key not in holder:
            # Both spellings stand there, and neither can be read.
            key = MISSPELT_LEAD_TYPE_ID
        yield Note(".".join(map(str, where)), "value_unread", verbatim(holder.pop(key)))
