"""One file per source: its raw bytes into a draft, or a Rejection, and nothing else.

A new source is a new file here and one line in `ADAPTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from normalizer.domain.draft import Draft
from normalizer.domain.rejection import Rejection
from normalizer.sources import adf, bdk, contactatonce, virtualexpo
from normalizer.sources.adf.mail import Part

__all__ = ["ADAPTERS", "SPLITTERS", "Adapter", "Part", "read", "split"]

Adapter = Callable[[bytes, str | None], Draft]
"""Body and content type to a draft; raises Rejection and nothing else."""

ADAPTERS: Mapping[str, Adapter] = {
    "adf": adf.read,
    "bdk": bdk.read,
    "contactatonce": contactatonce.read,
    "virtualexpo": virtualexpo.read,
}

SPLITTERS: Mapping[str, Callable[[bytes, str | None], Sequence[Part]]] = {"adf": adf.split}
"""Of sources whose messages may tell of several leads."""


def split(source: str, data: bytes, content_type: str | None) -> Sequence[Part]:
    """A part for each lead in `data`; none where it holds one. Raises Rejection and nothing else."""
    splitter = SPLITTERS.get(source)
    return splitter(data, content_type) if splitter else ()


def read(source: str, data: bytes, content_type: str | None) -> Draft:
    """What `source` tells in `data`; raises Rejection and nothing else."""
    adapter = ADAPTERS.get(source)
    if adapter is None:
        raise Rejection("source_unknown", "this release reads no messages of the source")
    return adapter(data, content_type)
