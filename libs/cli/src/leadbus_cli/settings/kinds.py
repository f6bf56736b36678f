"""Which service owns which kind of setting, and what refers to what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from leadbus_cli.api import ServiceApi
from leadbus_cli.errors import CliError


@dataclass(frozen=True, slots=True)
class Reference:
    """``pointer`` into the document holds the name of a ``kind``."""

    pointer: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class OwnedKind:
    """A kind, the service that owns it, and the fields of its spec that name other settings."""

    name: str
    owner: ServiceApi
    references: Mapping[str, str]

    def referred(self, spec: Mapping[str, Any]) -> Iterator[Reference]:
        """Every setting that a spec names; dots of a field go into mappings, lists are walked."""
        for field, kind in self.references.items():
            for pointer, value in _walk(spec, field.split("."), "/spec"):
                if isinstance(value, str):
                    yield Reference(pointer, kind, value)


def owned_kinds(services: list[ServiceApi]) -> dict[str, OwnedKind]:
    """Asks every service. Raises CliError when one does not answer, or two own the same."""
    found: dict[str, OwnedKind] = {}
    for service in services:
        for described in service.get("v1", "settings")["items"]:
            kind = OwnedKind(described["kind"], service, _references(described))
            if kind.name in found:
                raise CliError(f"{kind.name} is owned by {found[kind.name].owner.name} and {service.name}")
            found[kind.name] = kind
    return found


def in_order(kinds: Mapping[str, OwnedKind]) -> list[str]:
    """Kinds so that each comes after those it refers to. Raises CliError on a circle."""
    graph = {kind.name: set(kind.references.values()) & kinds.keys() for kind in kinds.values()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise CliError(f"kinds refer to each other in a circle: {' -> '.join(error.args[1])}") from None


def _references(described: Mapping[str, Any]) -> dict[str, str]:
    """The service's own references, and those its schema marks because another service owns the target."""
    properties = described.get("spec_schema", {}).get("properties", {})
    marked = {name: field["x-reference"] for name, field in properties.items() if "x-reference" in field}
    return {**marked, **described.get("references", {})}


def _walk(value: Any, path: list[str], pointer: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, path, f"{pointer}/{index}")
    elif not path:
        yield pointer, value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _walk(value[path[0]], path[1:], f"{pointer}/{path[0]}")
