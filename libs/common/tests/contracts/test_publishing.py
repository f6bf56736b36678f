"""``python -m leadbus.contracts``: what it writes, and what it refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from leadbus.contracts.__main__ import main
from leadbus.contracts.publishing import files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "contracts"
    target.mkdir()
    assert main(["generate", "--folder", str(target)]) == 0
    return target


def _edit(path: Path, change: Any) -> None:
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")


def test_what_was_generated_passes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["check", "--folder", str(folder)]) == 0
    assert main(["generate", "--folder", str(folder)]) == 0
    assert capsys.readouterr().out == ""


def test_hand_written_neighbours_are_left_alone(folder: Path) -> None:
    (folder / "examples/publish.py").write_text("pass\n", "utf-8")
    (folder / "README.md").write_text("hello\n", "utf-8")
    assert main(["check", "--folder", str(folder)]) == 0
    assert main(["generate", "--folder", str(folder)]) == 0
    assert (folder / "examples/publish.py").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "examples/lead.received.v1.json").write_text("{}", "utf-8"),
        lambda folder: (folder / "schemas/lead.received.v1.json").unlink(),
        lambda folder: (folder / "asyncapi.yaml").write_text("channels: {}\n", "utf-8"),
        lambda folder: (folder / "examples/stray.json").write_text("{}", "utf-8"),
    ],
    ids=["edited example", "missing schema", "edited document", "stray file"],
)
def test_drift_fails_and_generate_mends_it(
    folder: Path, spoil: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(folder)
    assert main(["check", "--folder", str(folder)]) == 1
    assert "does not follow the models" in capsys.readouterr().out
    assert main(["generate", "--folder", str(folder)]) == 0
    assert main(["check", "--folder", str(folder)]) == 0


def _had_another_property(schema: dict[str, Any]) -> None:
    schema["properties"]["mood"] = {"type": "string"}


def _had_nothing_required(schema: dict[str, Any]) -> None:
    schema["required"] = []


def _had_another_reason(schema: dict[str, Any]) -> None:
    schema["properties"]["reason"]["enum"].append("bad_weather")


def _had_any_id(schema: dict[str, Any]) -> None:
    del schema["$defs"]["RawIdentity"]["properties"]["id"]["maxLength"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (_had_another_property, "property_removed"),
        (_had_nothing_required, "newly_required"),
        (_had_another_reason, "values_narrowed"),
        (_had_any_id, "limit_narrowed"),
    ],
)
def test_a_breaking_change_fails_and_is_not_even_generated(
    folder: Path, change: Any, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "schemas/raw.quarantined.v1.json"
    _edit(path, change)
    before = path.read_text("utf-8")
    for command in ("check", "generate"):
        assert main([command, "--folder", str(folder)]) == 1
        assert f"{kind}:" in capsys.readouterr().out
        assert path.read_text("utf-8") == before
    assert main(["generate", "--allow-breaking", "--folder", str(folder)]) == 0
    assert main(["check", "--folder", str(folder)]) == 0


def test_a_removed_event_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "schemas/lead.sold.v1.json").write_text('{"type": "object"}', "utf-8")
    assert main(["check", "--folder", str(folder)]) == 1
    assert "lead.sold.v1: event_removed" in capsys.readouterr().out


def test_a_break_already_written_is_seen_against_the_revision_before(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)

    git("init", "-q")
    _edit(folder / "schemas/raw.quarantined.v1.json", _had_another_property)
    git("add", ".")
    git("commit", "-qm", "before")
    assert main(["generate", "--allow-breaking", "--folder", str(folder)]) == 0
    assert main(["check", "--folder", str(folder)]) == 0
    capsys.readouterr()
    assert main(["check", "--folder", str(folder), "--against", "HEAD"]) == 1
    assert "raw.quarantined.v1.mood: property_removed" in capsys.readouterr().out
    assert main(["check", "--folder", str(folder), "--against", "no-such-revision"]) == 1


@pytest.mark.parametrize("text", ["not json", "[]"])
def test_an_unreadable_file_is_named_without_a_traceback(
    folder: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "schemas/raw.quarantined.v1.json").write_text(text, "utf-8")
    assert main(["check", "--folder", str(folder)]) == 1
    assert "schemas/raw.quarantined.v1.json is not" in capsys.readouterr().out


def test_rendering_is_reproducible() -> None:
    assert files.rendered.__wrapped__() == files.rendered.__wrapped__()
