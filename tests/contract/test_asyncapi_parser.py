"""The AsyncAPI project's own parser accepts the committed document."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

_SCRIPT = """
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";
const text = readFileSync(process.argv[2], "utf-8");
const { document, diagnostics } = await new Parser().parse(text);
const channels = document ? document.channels().all().map((channel) => channel.address()) : null;
const found = diagnostics.map(({ code, severity, message, path }) => ({ code, severity, message, path }));
console.log(JSON.stringify({ channels, diagnostics: found }));
"""
# The parser wants the newest minor version named; 3.0.0 is what the tools of our readers know.
_ACCEPTED = {"asyncapi-latest-version"}


@pytest.fixture
def parse(node_modules: Path, tmp_path: Path) -> Any:
    (tmp_path / "node_modules").symlink_to(node_modules)
    script = tmp_path / "parse.mjs"
    script.write_text(_SCRIPT, "utf-8")

    def run(document: Path) -> dict[str, Any]:
        done = subprocess.run(
            ["node", script.name, str(document)], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        parsed: dict[str, Any] = json.loads(done.stdout)
        return parsed

    return run


def test_the_parser_accepts_the_document(parse: Any, contracts: Path) -> None:
    document = contracts / "asyncapi.yaml"
    found = parse(document)
    assert [each for each in found["diagnostics"] if each["code"] not in _ACCEPTED] == []
    channels = yaml.safe_load(document.read_text("utf-8"))["channels"]
    assert sorted(found["channels"]) == sorted(channels)


def test_the_parser_would_say_so(parse: Any, contracts: Path, tmp_path: Path) -> None:
    broken = yaml.safe_load((contracts / "asyncapi.yaml").read_text("utf-8"))
    broken["operations"]["consume.lead.received.v1"]["action"] = "sing"
    path = tmp_path / "broken.yaml"
    path.write_text(yaml.safe_dump(broken), "utf-8")
    assert [each for each in parse(path)["diagnostics"] if each["code"] not in _ACCEPTED]
