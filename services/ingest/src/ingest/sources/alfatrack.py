"""Alfa-Track: a push against the published contract, a lead or knowledge about one."""

from __future__ import annotations

from leadbus.contracts.alfatrack_reading import read_json
from leadbus.web import FieldError

from ingest.domain.media_type import MediaType
from ingest.sources.findings import Findings, of_json, warning


def check(body: bytes, media_type: MediaType) -> Findings:
    """What the normalizer would make of the body, which is well-formed already."""
    return of_json(body, media_type, _warnings)


def _warnings(body: bytes) -> list[FieldError]:
    return [warning(unread.location) for unread in read_json(body).unread]
