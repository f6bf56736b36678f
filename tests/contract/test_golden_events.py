"""Messages as they once were written: today's models, schemas and reader still take them, and lose nothing.

A golden file is named after the version of the contracts in which a message was first written so; it is never
changed. A service that was not updated yet writes these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from leadbus.contracts import EVENTS
from leadbus.contracts.publishing.asyncapi import CONTRACTS_VERSION
from leadbus.contracts.publishing.schemas import models
from leadbus.envelope import Properties, decode
from leadbus.messages import IncomingMessage

_GOLDEN = Path(__file__).parent / "golden"
_FILES = sorted(_GOLDEN.glob("*/*.json"))


def _lost(told: Any, kept: Any, where: str = "") -> Iterator[str]:
    if isinstance(told, dict):
        for name, value in told.items():
            if name not in kept:
                yield f"{where}.{name}"
            else:
                yield from _lost(value, kept[name], f"{where}.{name}")
    elif isinstance(told, list):
        for index, value in enumerate(told):
            yield from _lost(value, kept[index], f"{where}.{index}")


@pytest.mark.parametrize("path", _FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_was_written_is_still_read(path: Path, contracts: Path) -> None:
    golden = json.loads(path.read_text("utf-8"))
    name = path.parent.name
    schema = json.loads((contracts / "schemas" / f"{name}.json").read_text("utf-8"))
    jsonschema.validate(golden["data"], schema, cls=jsonschema.Draft202012Validator)
    parsed = models()[name].model_validate(golden["data"])
    assert list(_lost(golden["data"], parsed.wire())) == []


@pytest.mark.parametrize(
    "path", [path for path in _FILES if path.parent.name in EVENTS], ids=lambda p: p.parent.name
)
def test_its_headers_are_still_read(path: Path) -> None:
    golden = json.loads(path.read_text("utf-8"))
    message = IncomingMessage(
        body=json.dumps(golden["data"]).encode(),
        exchange="leadbus.events",
        routing_key=path.parent.name,
        headers=golden["headers"],
        properties=Properties(content_type="application/json"),
        redelivered=False,
        delivery_count=0,
        delivery_tag=1,
    )
    assert decode(message).type == path.parent.name


def test_every_contract_has_one() -> None:
    assert {path.parent.name for path in _FILES} == set(models())


def test_none_is_of_a_version_to_come() -> None:
    versions = {tuple(map(int, path.stem.split("-")[0].split("."))) for path in _FILES}
    assert max(versions) == tuple(map(int, CONTRACTS_VERSION.split(".")))
