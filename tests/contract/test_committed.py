"""What is committed under ``docs/contracts`` follows the models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from leadbus.contracts import SOURCES
from leadbus.contracts.__main__ import main
from leadbus.contracts.vocabulary import QuarantineReason


def test_no_drift(contracts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--folder", str(contracts)]) == 0, capsys.readouterr().out


def test_the_page_for_publishers_names_every_source_and_every_reason(contracts: Path) -> None:
    page = (contracts / "README.md").read_text("utf-8")
    assert [source for source in SOURCES if source not in page] == []
    reasons = QuarantineReason.__args__  # type: ignore[attr-defined]
    assert [reason for reason in reasons if f"`{reason}`" not in page] == []


def test_links_of_the_page_lead_somewhere(contracts: Path) -> None:
    page = (contracts / "README.md").read_text("utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", page)
    assert links
    assert [link for link in links if not (contracts / link).exists()] == []
