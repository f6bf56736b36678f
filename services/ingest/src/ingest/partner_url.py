"""Addresses of partners in settings: absolute, without credentials, https outside of development."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from leadbus.settings.documents import InvalidSpec
from pydantic import AfterValidator, Field

_MAX_URL_CHARS = 2000


def _address(url: str) -> str:
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("an address has no blanks and no letters beyond ASCII")
    parts = _split(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("an address begins with https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address holds no user and no password")
    if parts.fragment or url.endswith("#"):
        raise ValueError("an address has no fragment")
    return url


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("no address") from None
    return parts


PartnerUrl = Annotated[str, AfterValidator(_address), Field(max_length=_MAX_URL_CHARS)]
"""A field of a setting that holds a partner's address."""


def must_be_https(pointer: str, url: str, *, or_http: bool) -> None:
    """Raises InvalidSpec for an address in plain http, unless the service is allowed to use such."""
    if not or_http and urlsplit(url).scheme != "https":
        raise InvalidSpec(
            pointer, "https only, but for development (INGEST_PARTNERS_OVER_HTTP)", "https_needed"
        )
