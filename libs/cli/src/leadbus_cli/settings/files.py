"""YAML documents with the place of every value, so that an error can say which line is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from leadbus_cli.errors import CliError

_SUFFIXES = {".yaml", ".yml"}
_PARTS = frozenset({"kind", "metadata", "spec"})


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class WantedDocument:
    """One setting as a file wants it. ``lines`` are by JSON pointer into the whole document."""

    kind: str
    name: str
    spec: Mapping[str, Any]
    file: Path
    lines: Mapping[str, int]

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.name

    def place(self, pointer: str = "") -> Place:
        """Where a value stands, or the nearest thing around it."""
        while pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return Place(self.file, self.lines[pointer])

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class _Loader(yaml.SafeLoader):
    """YAML as people mean it: ``no`` is a country, ``040217`` a reference, ``2026-01-01`` text."""


# Of the words that YAML 1.1 turns into something else, only those that JSON has too.
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(0|[1-9][0-9]*)(\.[0-9]+)([eE][-+]?[0-9]+)?", list("-0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def read_documents(paths: list[Path]) -> list[WantedDocument]:
    """All documents in files and folders, in order. Raises CliError with a line for each that is wrong."""
    found: dict[tuple[str, str], WantedDocument] = {}
    wrong: list[str] = []
    for file in _files(paths):
        for document in _documents(file, wrong):
            if first := found.get(document.key):
                wrong.append(f"{document.place()}: {document} stands in {first.place()} already")
            found[document.key] = document
    if wrong:
        raise CliError(*wrong)
    if not found:
        raise CliError(f"no settings in {', '.join(map(str, paths))}")
    return list(found.values())


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.suffix in _SUFFIXES and each.is_file())
        elif path.exists():
            yield path
        else:
            raise CliError(f"{path} does not exist")


def _documents(file: Path, wrong: list[str]) -> Iterator[WantedDocument]:
    try:
        loader = _Loader(file.read_text("utf-8"))
        while loader.check_node() and (node := loader.get_node()) is not None:
            lines = dict(_lines(node, "", file, wrong))
            document = _document(loader.construct_document(node), file, lines, wrong)
            if document is not None:
                yield document
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        wrong.append(f"{file}:{line}: not YAML: {error.problem}")
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        wrong.append(f"{file}: cannot be read: {type(error).__name__}")


def _lines(node: yaml.Node, pointer: str, file: Path, wrong: list[str]) -> Iterator[tuple[str, int]]:
    yield pointer, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        names = set()
        for key, value in node.value:
            name = str(key.value)
            if name in names:
                wrong.append(f"{file}:{key.start_mark.line + 1}: {name} is given twice")
            names.add(name)
            below = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            yield from _lines(value, below, file, wrong)
            yield below, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, f"{pointer}/{index}", file, wrong)


def _document(value: Any, file: Path, lines: Mapping[str, int], wrong: list[str]) -> WantedDocument | None:
    if value is None:
        return None
    complaint = _complaint(value)
    if complaint is not None:
        wrong.append(f"{file}:{lines['']}: {complaint}")
        return None
    return WantedDocument(value["kind"], value["metadata"]["name"], value["spec"], file, lines)


def _complaint(value: Any) -> str | None:
    if not isinstance(value, Mapping) or value.keys() != _PARTS:
        return "a setting has kind, metadata and spec, and nothing else"
    metadata = value["metadata"]
    if not isinstance(metadata, Mapping) or metadata.keys() != {"name"}:
        return "metadata has a name, and nothing else"
    if not isinstance(value["kind"], str) or not isinstance(metadata["name"], str):
        return "kind and metadata.name are text"
    if not isinstance(value["spec"], Mapping):
        return "spec is a mapping"
    return None
