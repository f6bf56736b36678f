"""Would a reader of the old schema stumble over the new one? Only additions are safe inside a version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_UPPER_LIMITS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER_LIMITS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_ONLY_THIS = ("pattern", "format", "multipleOf")


@dataclass(frozen=True, slots=True)
class Break:
    """One change that breaks somebody: ``kind`` is a slug, ``where`` a JSON path, ``detail`` for people."""

    kind: str
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}: {self.detail}"


def schema_breaks(old: Schema, new: Schema, where: str) -> list[Break]:
    """What breaks between two documents with definitions of their own."""
    return list(_Comparison(old, new).breaks(old, new, where, frozenset()))


def document_breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Break]:
    """Channels of an AsyncAPI document that are gone, or whose address or exchange is another."""
    found = []
    for name, channel in old.get("channels", {}).items():
        now = new.get("channels", {}).get(name)
        if now is None:
            found.append(Break("channel_removed", f"channels.{name}", "no longer published"))
            continue
        found += [
            Break("channel_moved", f"channels.{name}.{what}", "is another")
            for what in ("address", "bindings")
            if channel.get(what) != now.get(what)
        ]
    return found


class _Comparison:
    """One pair of documents; references are followed on both sides, and each pair of them once."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new

    def breaks(
        self, old: Schema, new: Schema, where: str, seen: frozenset[tuple[str, str]]
    ) -> Iterator[Break]:
        pair = (str(old.get("$ref", id(old))), str(new.get("$ref", id(new))))
        if pair in seen:
            return
        seen |= {pair}
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if "anyOf" in old or "anyOf" in new:
            yield from self._branches(old, new, where, seen)
            return
        yield from _narrowed_values(old, new, where)
        yield from _narrowed_limits(old, new, where)
        yield from self._object(old, new, where, seen)
        if "items" in new:
            yield from self.breaks(old.get("items", {}), new["items"], f"{where}[]", seen)

    def _branches(
        self, old: Schema, new: Schema, where: str, seen: frozenset[tuple[str, str]]
    ) -> Iterator[Break]:
        before = [_resolved(branch, self._old) for branch in old.get("anyOf", [old])]
        now = [_resolved(branch, self._new) for branch in new.get("anyOf", [new])]
        for branch in before:
            candidates = [list(self.breaks(branch, each, where, seen)) for each in now]
            if any(not found for found in candidates):
                continue
            same_type = [
                found for each, found in zip(now, candidates, strict=True) if _types(each) & _types(branch)
            ]
            if same_type:
                yield from same_type[0]
            else:
                yield Break("type_narrowed", where, f"no longer {' or '.join(sorted(_types(branch)))}")

    def _object(
        self, old: Schema, new: Schema, where: str, seen: frozenset[tuple[str, str]]
    ) -> Iterator[Break]:
        before, now = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name in now:
                yield from self.breaks(schema, now[name], f"{where}.{name}", seen)
            else:
                yield Break("property_removed", f"{where}.{name}", "readers may rely on it")
        for name in new.get("required", ()):
            if name not in old.get("required", ()):
                yield Break("newly_required", f"{where}.{name}", "was optional or unknown")
        others_before = old.get("additionalProperties", True)
        others_now = new.get("additionalProperties", True)
        if others_now is False and others_before is not False:
            yield Break("type_narrowed", where, "no longer takes other properties")
        elif isinstance(others_now, Mapping):
            compared = others_before if isinstance(others_before, Mapping) else {}
            yield from self.breaks(compared, others_now, f"{where}.*", seen)


def _resolved(schema: Schema, document: Schema) -> Schema:
    while "$ref" in schema:
        target: Any = document
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    return schema


def _types(schema: Schema) -> frozenset[str]:
    """JSON types a schema allows; every number includes the integers."""
    declared = schema.get("type")
    if declared is None:
        allowed = _allowed(schema)
        if allowed is None:
            return frozenset({"any"})
        return frozenset(_type_of(value) for value in allowed)
    types = {declared} if isinstance(declared, str) else set(declared)
    return frozenset(types | {"integer"} if "number" in types else types)


def _type_of(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names.get(type(value), "object")


def _allowed(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values: list[Any] | None = schema.get("enum")
    return values


def _narrowed_values(old: Schema, new: Schema, where: str) -> Iterator[Break]:
    before, now = _types(old), _types(new)
    if "any" not in now and (lost := before - now):
        yield Break("type_narrowed", where, f"no longer {' or '.join(sorted(lost))}")
        return
    allowed_before, allowed_now = _allowed(old), _allowed(new)
    if allowed_now is None:
        return
    if allowed_before is None:
        yield Break("values_narrowed", where, "was any value of its type")
    elif gone := [value for value in allowed_before if value not in allowed_now]:
        yield Break("values_narrowed", where, f"no longer {', '.join(map(str, gone))}")


def _narrowed_limits(old: Schema, new: Schema, where: str) -> Iterator[Break]:
    for name in _UPPER_LIMITS:
        if name in new and (name not in old or new[name] < old[name]):
            yield Break("limit_narrowed", where, f"{name} is now {new[name]}")
    for name in _LOWER_LIMITS:
        if name in new and (name not in old or new[name] > old[name]):
            yield Break("limit_narrowed", where, f"{name} is now {new[name]}")
    for name in _ONLY_THIS:
        if name in new and new[name] != old.get(name):
            yield Break("limit_narrowed", where, f"{name} is now {new[name]}")
    if new.get("uniqueItems") and not old.get("uniqueItems"):
        yield Break("limit_narrowed", where, "items must now differ")
