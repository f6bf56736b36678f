"""One file per source: its raw bytes into a draft, or a Rejection, and nothing else.

A new source is a new file here and one line in `ADAPTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from normalizer.domain.draft import Draft
from normalizer.domain.rejection import Rejection
from normalizer.sources import contactatonce

Adapter = Callable[[bytes, str | None], Draft]
"""Body and content type to a draft; raises Rejection and nothing else."""

ADAPTERS: Mapping[str, Adapter] = {"contactatonce": contactatonce.read}


def read(source: str, data: bytes, content_type: str | None) -> Draft:
    """What `source` tells in `data`; raises Rejection and nothing else."""
    adapter = ADAPTERS.get(source)
    if adapter is None:
        raise Rejection("source_unknown", "this release reads no messages of the source")
    return adapter(data, content_type)
