"""What is special about a source at the door. A source without a file here has nothing special."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from leadbus.web import FieldError

from ingest.domain.media_type import MediaType
from ingest.sources import contactatonce

PayloadFaults = Callable[[bytes, MediaType], list[FieldError]]

CONTRACTS: Mapping[str, PayloadFaults] = {"contactatonce": contactatonce.faults}
"""Sources whose payload is ours to define: what of a well-formed body is not as published."""
