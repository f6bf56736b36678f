"""What a source sent that no field holds: kept as text by dotted path."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, get_args

from pydantic import BaseModel

from normalizer.domain.text import clean

_ENTRIES_PER_FIELD = 50
_NAMES_PER_FIELD_CHARS = 2_000


def unlisted(payload: BaseModel) -> dict[str, str]:
    """Every field of `payload` that its contract does not list, wherever it stands.

    A field with more than fifty values inside, or names too long to repeat before each of them, is
    kept as one JSON text: flattened it would make a small message a large lead.
    """
    return dict(_of_model(payload, ""))


def _of_model(model: BaseModel, path: str) -> Iterator[tuple[str, str]]:
    for name, value in (model.model_extra or {}).items():
        yield from _field(value, path + clean(name))
    for name in _holding_models(type(model)):
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _of_model(value, f"{path}{name}.")
        elif isinstance(value, tuple):
            for index, entry in enumerate(value):
                if isinstance(entry, BaseModel):
                    yield from _of_model(entry, f"{path}{name}.{index}.")


@cache
def _holding_models(model: type[BaseModel]) -> tuple[str, ...]:
    """Names of the fields that may hold a model, or a tuple of them."""
    fields = model.model_fields.items()
    return tuple(name for name, field in fields if _mentions_model(field.annotation))


def _mentions_model(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(_mentions_model(part) for part in get_args(annotation))


def _field(value: object, path: str) -> Iterator[tuple[str, str]]:
    entries = list(islice(_leaves(value, path), _ENTRIES_PER_FIELD + 1))
    if len(entries) > _ENTRIES_PER_FIELD or _names_chars(entries) > _NAMES_PER_FIELD_CHARS:
        yield path, clean(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))
    else:
        yield from entries


def _names_chars(entries: list[tuple[str, str]]) -> int:
    return sum(len(path) for path, _ in entries) if len(entries) > 1 else 0


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _leaves(entry, f"{path}.{clean(str(name))}")
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            yield from _leaves(entry, f"{path}.{index}")
    elif isinstance(value, bool):
        yield path, str(value).lower()
    elif value is not None and (text := clean(str(value))):
        yield path, text
