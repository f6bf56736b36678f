"""The published files: what they should say, what the committed ones say, and whether the step is safe."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import yaml

from leadbus.contracts.events import EVENTS
from leadbus.contracts.publishing.asyncapi import asyncapi_document
from leadbus.contracts.publishing.breaking import Break, document_breaks, schema_breaks
from leadbus.contracts.publishing.raw_payloads import RAW, RawPayload, xml_schema_path
from leadbus.contracts.publishing.schemas import json_schema, models

ASYNCAPI = "asyncapi.yaml"
Files = Mapping[str, str]
"""Text by path relative to the contracts folder."""


@cache
def rendered() -> Files:
    """Every generated file as it should be."""
    files = {ASYNCAPI: _yaml(asyncapi_document())}
    for name, model in models().items():
        files[f"schemas/{name}.json"] = _json(json_schema(name, model))
    for name, contract in EVENTS.items():
        files[f"examples/{name}.json"] = _json(contract.example)
    for source, payload in RAW.items():
        files |= _raw_files(source, payload)
    return MappingProxyType(files)


def _raw_files(source: str, payload: RawPayload) -> dict[str, str]:
    files = {
        f"examples/raw.{source}.{name}.json": _json(example) for name, example in payload.examples.items()
    }
    files |= {f"examples/raw.{source}.{name}.xml": text for name, text in payload.xml_examples.items()}
    if payload.xml_schema:
        files[xml_schema_path(source)] = payload.xml_schema
    return files


def committed(folder: Path) -> dict[str, str]:
    """The generated files in ``folder``; hand-written neighbours are not among them."""
    found = [folder / ASYNCAPI, *folder.glob("schemas/*.json"), *folder.glob("examples/*.json")]
    found += (*folder.glob("schemas/*.xsd"), *folder.glob("examples/*.xml"))
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in found if path.exists()}


def committed_at(folder: Path, revision: str) -> dict[str, str]:
    """The same at a Git revision. Raises subprocess.CalledProcessError when Git does not know it."""
    names = _git(folder, "ls-tree", "-r", "--name-only", revision, "--", ".").splitlines()
    generated = [name for name in names if _is_generated(PurePosixPath(name))]
    return {name: _git(folder, "show", f"{revision}:./{name}") for name in generated}


def drift(before: Files, now: Files) -> list[str]:
    """Paths that differ, are missing, or should not be there."""
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def breaks(before: Files, now: Files) -> list[Break]:
    """What would break somebody who built on ``before``. ValueError when a file there cannot be read."""
    found: list[Break] = []
    for path, text in sorted(before.items()):
        name = path.removeprefix("schemas/").removesuffix(".json")
        if not path.startswith("schemas/") or not path.endswith(".json"):
            continue
        if path in now:
            found += schema_breaks(_parsed(path, text), _parsed(path, now[path]), name)
        else:
            found.append(Break("event_removed", name, "no longer published"))
    if ASYNCAPI in before:
        found += document_breaks(_document(before[ASYNCAPI]), _document(now[ASYNCAPI]))
    return found


def write(folder: Path, files: Files) -> list[str]:
    """Makes ``folder`` hold exactly ``files`` among the generated ones; returns the paths that changed."""
    before = committed(folder)
    changed = drift(before, files)
    for path in changed:
        target = folder / path
        if path in files:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(files[path], "utf-8")
        else:
            target.unlink()
    return changed


def _is_generated(path: PurePosixPath) -> bool:
    folder = path.parent.as_posix()
    return path.as_posix() == ASYNCAPI or (
        folder in {"schemas", "examples"} and path.suffix in {".json", ".xml", ".xsd"}
    )


def _git(folder: Path, *arguments: str) -> str:
    run = subprocess.run(  # noqa: S603 - fixed program, no shell
        ["git", *arguments],  # noqa: S607
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return run.stdout


def _parsed(path: str, text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise ValueError(f"{path} is not a schema")  # noqa: TRY004 - the file is wrong, not the caller
    return parsed


def _document(text: str) -> dict[str, Any]:
    # The parser in C is twenty times as fast, where PyYAML was built with it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    parsed = yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader either way
    return parsed if isinstance(parsed, dict) else {}


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and nothing by alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text_node)


def _yaml(document: Mapping[str, Any]) -> str:
    header = "# Generated by `python -m leadbus.contracts generate`. Change the models instead.\n"
    return header + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
