"""What is special about a source at the door. A source without a file here has nothing special."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ingest.domain.media_type import MediaType
from ingest.sources import contactatonce
from ingest.sources.findings import Findings

CheckPayload = Callable[[bytes, MediaType], Findings]

CONTRACTS: Mapping[str, CheckPayload] = {"contactatonce": contactatonce.check}
"""Sources whose payload is ours to define: what of a well-formed body is not as published."""
