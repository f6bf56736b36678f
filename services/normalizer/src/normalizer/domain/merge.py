"""How later knowledge of one lead joins what is known. Cases R1.. in the README.

What a later message states replaces what was known; what it leaves out stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any, TypeVar

from leadbus.contracts.lead import OWN_ID_SOURCE, Customer, Lead, Name, SourceId, Warning_
from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)

_URGENCY = ("normal", "high", "highest")
_REPLACED_WHEN_STATED = (
    "detected_at",
    "vehicles",
    "products",
    "contract",
    "subject",
    "message",
    "transcript",
)
_MERGED_WITHIN = ("finance", "call")


def fold(readings: Iterable[Lead]) -> Lead:
    """The lead that these readings tell, oldest first."""
    return reduce(merge, readings)


def merge(known: Lead, later: Lead) -> Lead:
    """`known` with what `later` states; identity and door time (`received_at`) stay those of `known`.

    So does its attribution, which has rules of its own (`enriching`).
    """
    update: dict[str, Any] = {name: _stated(known, later, name) for name in _REPLACED_WHEN_STATED}
    update |= {name: _merged(getattr(known, name), getattr(later, name)) for name in _MERGED_WITHIN}
    update |= {
        "source_type": later.source_type,
        "channel": later.channel,
        "dealer": later.dealer,
        "answer_expected": later.answer_expected,
        "ids": _chain(known.ids, later.ids),
        "intents": tuple(sorted({*known.intents, *later.intents})),
        "urgency": max(known.urgency, later.urgency, key=_URGENCY.index),
        "occurred_at": _earliest(known.occurred_at, later.occurred_at),
        "customer": _customer(known.customer, later.customer),
        "consent": later.consent if later.consent.basis != "none" else known.consent,
        "extras": _extras(known, later),
        "warnings": _warnings(known, later),
        "test": known.test or later.test,
    }
    return known.model_copy(update=update)


def _stated(known: BaseModel, later: BaseModel, name: str) -> Any:
    value = getattr(later, name)
    return getattr(known, name) if value is None or value == () else value


def _merged(known: Model | None, later: Model | None) -> Model | None:
    """Field by field: a recording that comes after the call joins it."""
    if known is None or later is None:
        return later if known is None else known
    stated = {
        name: value for name, value in later if name in later.model_fields_set and value not in (None, ())
    }
    return known.model_copy(update=stated)


def _customer(known: Customer, later: Customer) -> Customer:
    parts = ("company", "position", "emails", "phones", "addresses", "language")
    update = {name: _stated(known, later, name) for name in parts}
    update["name"] = later.name if _is_better(later.name, than=known.name) else known.name
    update["type"] = "business" if "business" in (known.type, later.type) else "person"
    return known.model_copy(update=update)


def _is_better(name: Name, *, than: Name) -> bool:
    """A placeholder of the telephone network does not replace the name that a person gave."""
    return bool(name.first or name.last) or (name.full is not None and not (than.first or than.last))


def _earliest(known: Any, later: Any) -> Any:
    return min((moment for moment in (known, later) if moment is not None), default=None)


def _chain(known: tuple[SourceId, ...], later: tuple[SourceId, ...]) -> tuple[SourceId, ...]:
    """Every id once, in the order first told, ours last; sequence counts from 1."""
    told = dict.fromkeys((entry.source, entry.value) for entry in (*known, *later))
    ordered = sorted(told, key=lambda entry: entry[0] == OWN_ID_SOURCE)
    return tuple(
        SourceId(source=source, value=value, sequence=place)
        for place, (source, value) in enumerate(ordered, start=1)
    )


def _extras(known: Lead, later: Lead) -> dict[str, str]:
    """What was said of a vehicle goes with it: beside another one it would be a lie."""
    kept = {
        path: text
        for path, text in known.extras.items()
        if not (later.vehicles and path.startswith(("vehicle.", "vehicles.")))
    }
    return kept | later.extras


def _warnings(known: Lead, later: Lead) -> tuple[Warning_, ...]:
    """Later's, and those of `known` about fields that `later` left as they were."""
    kept = [warning for warning in known.warnings if not _restates(later, warning.field)]
    return tuple(dict.fromkeys((*kept, *later.warnings)))


def _restates(later: Lead, path: str) -> bool:
    """Whether `later` says anything at the list or object that `path` leads into."""
    value: Any = later
    for step in path.split(".")[:2]:
        if not isinstance(value, BaseModel) or step not in type(value).model_fields:
            break
        value = getattr(value, step)
    if isinstance(value, BaseModel):
        return any(part for _, part in value)
    return bool(value)
