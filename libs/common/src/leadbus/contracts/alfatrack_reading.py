"""Alfa-Track's pushes as they come: strict about what tells whose lead it is, tolerant about the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import ValidationError
from pydantic_core import from_json

from leadbus.contracts.alfatrack import LABELS, AlfaTrackKnowledge, AlfaTrackLead
from leadbus.contracts.unread import FAULTS_ONE_BY_ONE, UNREAD_PER_FIELD, Location, Unread, verbatim

Payload: TypeAlias = AlfaTrackLead | AlfaTrackKnowledge

_ESSENTIAL = frozenset({"event", "lead_id", "type"})
_KEYS_BY_LABEL = {label.casefold(): key for label, key in LABELS.items()}


@dataclass(frozen=True, slots=True)
class Reading:
    """The push without the values of ``unread``."""

    payload: Payload
    unread: tuple[Unread, ...] = ()


def read_json(body: bytes) -> Reading:
    """Read one push (UTF-8, no byte order mark).

    Raises pydantic's ValidationError for what is no JSON object, and for event, lead id, and of a lead its
    type and project; for nothing else.
    """
    try:
        told = from_json(body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return Reading(AlfaTrackLead.model_validate_json(body))
    fields = {name: value for name, value in told.items() if value is not None or name in _ESSENTIAL}
    _name_parameters(fields)
    return _read(fields)


def _name_parameters(fields: dict[str, Any]) -> None:
    """A parameter under the tracker's label goes under its key, unless that is told too."""
    parameters = fields.get("parameters")
    if not isinstance(parameters, dict):
        return
    for name in list(parameters):
        key = _KEYS_BY_LABEL.get(" ".join(name.split()).casefold())
        if key is not None and parameters.get(key) is None:
            parameters[key] = parameters.pop(name)


def _read(fields: dict[str, Any]) -> Reading:
    model = AlfaTrackKnowledge if fields.get("event") == "knowledge" else AlfaTrackLead
    unread: list[Unread] = []
    while True:
        try:
            return Reading(model.model_validate(fields), tuple(unread))
        except ValidationError as error:
            many = error.error_count() > FAULTS_ONE_BY_ONE
            doubtful = _containers(fields) if many else _doubtful(error, fields)
            if not doubtful:
                raise
            # The deepest and last first, so that every other location still leads to its value.
            unread += [left for where in sorted(doubtful, reverse=True) for left in _take(fields, where)]


def _containers(fields: dict[str, Any]) -> set[Location]:
    containers = {name for name, value in fields.items() if isinstance(value, list | dict)}
    return {(name,) for name in containers - _ESSENTIAL - {"project"}}


def _doubtful(error: ValidationError, fields: dict[str, Any]) -> set[Location]:
    """Where the values stand that can be done without; a field with too many of them as a whole."""
    told = error.errors(include_url=False, include_context=False, include_input=False)
    found = {where for one in told if _dispensable(where := _reached(fields, one["loc"]), fields)}
    often = Counter(where[0] for where in found)
    return {where[:1] if often[where[0]] > UNREAD_PER_FIELD else where for where in found}


def _dispensable(where: Location, fields: dict[str, Any]) -> bool:
    if not where or where[0] in _ESSENTIAL:
        return False
    needs_project = fields.get("event") != "knowledge"
    return not (needs_project and where in (("project",), ("project", "id")))


def _reached(fields: dict[str, Any], location: Location) -> Location:
    """As far as `location` leads: a missing part, or one within a bare value, is its holder's fault."""
    holder: Any = fields
    for depth, step in enumerate(location):
        reached = (
            step in holder if isinstance(holder, dict) else isinstance(holder, list) and isinstance(step, int)
        )
        if not reached:
            return location[:depth]
        holder = holder[step]
    return location


def _take(fields: dict[str, Any], where: Location) -> Iterator[Unread]:
    holder: Any = fields
    for step in where[:-1]:
        holder = holder[step]
    key = where[-1]
    value = holder[key]
    if isinstance(value, str) and "\x00" in value:
        holder[key] = value.replace("\x00", "")
        return
    holder.pop(key)
    if value is not None:
        yield Unread(where, "value_unread", verbatim(value))
