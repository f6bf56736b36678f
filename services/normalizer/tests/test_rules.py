"""The tables of RULES.md, row by row."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from leadbus.contracts.contactatonce_reading import read_json
from normalizer.domain.emails import read_email
from normalizer.domain.names import split_name
from normalizer.domain.phones import read_phone
from normalizer.domain.vin import check_digit, read_vin
from normalizer.sources import contactatonce

RULES = Path(__file__).parent.parent / "RULES.md"
ROW = re.compile(r"^\| ([A-Z]\d+) \|(.*)\|$")


def rows(letter: str) -> list[Any]:
    found_rows = []
    for line in RULES.read_text(encoding="utf-8").splitlines():
        found = ROW.match(line)
        if found and found.group(1).startswith(letter):
            cells = [cell.strip() for cell in found.group(2).split("|")]
            values = (None if cell == "–" else cell.strip("`") for cell in cells)
            found_rows.append(pytest.param(*values, id=found.group(1)))
    return found_rows


@pytest.mark.parametrize(("written", "country", "e164", "extension", "warning"), rows("P"))
def test_phones(written: Any, country: Any, e164: Any, extension: Any, warning: Any) -> None:
    reading = read_phone(written, country)
    assert (reading.e164, reading.extension, reading.warning) == (e164, extension, warning)
    assert reading.raw == written


@pytest.mark.parametrize(("written", "address", "warning"), rows("E"))
def test_emails(written: Any, address: Any, warning: Any) -> None:
    reading = read_email(written)
    assert (reading.address, reading.warning, reading.raw) == (address, warning, written)


@pytest.mark.parametrize(("written", "salutation", "first", "middle", "last", "suffix", "warning"), rows("N"))
def test_names(
    written: Any, salutation: Any, first: Any, middle: Any, last: Any, suffix: Any, warning: Any
) -> None:
    reading = split_name(written)
    parts = (reading.salutation, reading.first, reading.middle, reading.last, reading.suffix, reading.warning)
    assert parts == (salutation, first, middle, last, suffix, warning)
    assert reading.full == written


@pytest.mark.parametrize(("written", "vin", "warning"), rows("V"))
def test_vins(written: Any, vin: Any, warning: Any) -> None:
    reading = read_vin(written)
    assert (reading.vin, reading.warning) == (vin, warning)


def test_the_check_digit_ten_is_an_x() -> None:
    assert check_digit("1M8GDM9A0KP042788") == "X"


def put(document: Any, path: list[str], value: Any) -> None:
    """Set a value deep in a document, making the objects and lists on the way."""
    step, *further = path
    if isinstance(document, list):
        document.append({})
    key = int(step) if isinstance(document, list) else step
    if not further:
        document[key] = value
        return
    if isinstance(document, dict):
        document.setdefault(key, [] if further[0].isdigit() else {})
    put(document[key], further, value)


def got(document: Any, path: list[str]) -> Any:
    for step in path:
        document = document[int(step)] if isinstance(document, list) else document.get(step, {})
    return document or (False if document is False else None)


@pytest.mark.parametrize(("field", "written", "read", "warning"), rows("Q"))
def test_doubtful_values(field: Any, written: Any, read: Any, warning: Any) -> None:
    path, value = field.split("."), json.loads(written)
    told = {"lead_type": "TrackedCall", "lead_id": "1", "dealer": {"id": "1"}}
    put(told, path, value)
    if path[0] == "transcript" and len(path) == 3:
        told["transcript"][0] = {"speaker": "agent", "text": "Hello"} | told["transcript"][0]  # type: ignore[index]
    body = json.dumps(told).encode()
    payload = read_json(body).payload.model_dump(mode="json", exclude_none=True)
    assert got(payload, path) == (None if read is None else json.loads(read))
    draft = contactatonce.read(body, "application/json")
    assert [one.code for one in draft.warnings if one.code in ("value_unread", "link_unusable")] == (
        [warning] if warning else []
    )
    verbatim = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    assert (verbatim.replace("\a", "") in draft.extras.values()) == bool(warning)


def test_every_row_of_the_other_tables_is_named_by_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    wanted = {
        found.group(1)
        for line in RULES.read_text(encoding="utf-8").splitlines()
        if (found := ROW.match(line))
    }
    untested = {name for name in wanted if name[0] in "CDIR" and f'"{name}"' not in tests}
    assert not untested
