"""BDK Leadservice: a whole lead, as its API answers it or as a fat notification, against the contract."""

from __future__ import annotations

from leadbus.contracts.bdk_reading import read_lead
from leadbus.web import FieldError

from ingest.domain.media_type import MediaType
from ingest.sources.findings import Findings, of_json, warning


def check(body: bytes, media_type: MediaType) -> Findings:
    """What the normalizer would make of the body, which is well-formed already."""
    return of_json(body, media_type, _warnings)


def _warnings(body: bytes) -> list[FieldError]:
    return [warning(note.path.split("."), note.code) for note in read_lead(body).notes]
