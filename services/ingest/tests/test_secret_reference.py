"""Secrets by reference: read where they are used, and never one of the service's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from ingest.secret_reference import MAX_SECRET_BYTES, SecretReference, SecretUnreadableError, resolve
from pydantic import TypeAdapter, ValidationError

REFERENCE: TypeAdapter[str] = TypeAdapter(SecretReference)


def test_a_variable_is_read_at_every_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTNER_SECRET", "first")
    assert resolve("env:PARTNER_SECRET").get_secret_value() == "first"
    monkeypatch.setenv("PARTNER_SECRET", "second")
    assert resolve("env:PARTNER_SECRET").get_secret_value() == "second"


def test_a_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret, with a blank\n")
    assert resolve(f"file:{file}").get_secret_value() == "s3cret, with a blank"


def test_a_secret_does_not_show() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTNER_SECRET", "very-secret")
        assert "very-secret" not in repr(resolve("env:PARTNER_SECRET"))


@pytest.mark.parametrize(
    "written",
    ["very-secret", "env:", "env:1A", "env:A B", "file:secret", "file:/a\nb", "env:INGEST_TOKEN_KEY",
     "env:ingest_database_url", "http://host/secret", "file:"],
)  # fmt: skip
def test_what_is_no_reference_is_refused(written: str) -> None:
    with pytest.raises(ValidationError):
        REFERENCE.validate_python(written)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"a\nb", "one line"),
        ("schlüssel".encode(), "ASCII"),
        (b"\xff\xfe", "ASCII"),
        (b"x" * (MAX_SECRET_BYTES + 1), "bytes"),
    ],
)
def test_a_file_without_a_secret_is_told_by_its_fault(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(SecretUnreadableError, match=why) as told:
        resolve(f"file:{file}")
    assert "schl" not in str(told.value)


@pytest.mark.parametrize("name", ["file:/nonexistent/secret", "file:/", "file:/proc/self/environ"])
def test_what_cannot_be_read_as_a_file_is_told(name: str) -> None:
    with pytest.raises(SecretUnreadableError):
        resolve(name)


def test_a_link_into_the_kernel_is_not_followed(tmp_path: Path) -> None:
    link = tmp_path / "secret"
    link.symlink_to("/proc/self/environ")
    with pytest.raises(SecretUnreadableError, match="ordinary"):
        resolve(f"file:{link}")


def test_a_variable_that_is_not_set_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARTNER_SECRET", raising=False)
    with pytest.raises(SecretUnreadableError, match="not set"):
        resolve("env:PARTNER_SECRET")
