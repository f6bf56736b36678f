"""What is special about a source at the door. A source without a file here has nothing special."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ingest.domain.media_type import MediaType
from ingest.sources import alfatrack, bdk, contactatonce
from ingest.sources.findings import Findings

MENDED = frozenset({"adf"})
"""Sources whose documents come damaged as a rule, and are mended by the normalizer: what we refuse for it may
never come again."""

CheckPayload = Callable[[bytes, MediaType], Findings]

CONTRACTS: Mapping[str, CheckPayload] = {
    "alfatrack": alfatrack.check,
    "bdk": bdk.check,
    "contactatonce": contactatonce.check,
}
"""What of a well-formed body is not as published, of sources that the normalizer reads by their contract."""
