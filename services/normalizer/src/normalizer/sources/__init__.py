"""One file per source: its raw bytes into a draft, or a Rejection, and nothing else.

A new source is a new file here and one line in `ADAPTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from normalizer.domain.draft import Draft
from normalizer.domain.knowledge import Knowledge
from normalizer.domain.rejection import Rejection
from normalizer.domain.way import Way
from normalizer.sources import adf, alfatrack, bdk_inbound, contactatonce, virtualexpo_inbound
from normalizer.sources.adf import inbound as adf_inbound
from normalizer.sources.adf.mail import Part
from normalizer.sources.bdk_types import TYPES, LeadTypes

__all__ = ["ADAPTERS", "ADAPTERS_BY_WAY", "SPLITTERS", "Adapter", "AdapterByWay", "Part", "read", "split"]

Adapter = Callable[[bytes, str | None], Draft | Knowledge]
"""Body and content type to a draft, or to knowledge about a lead; raises Rejection and nothing else."""

AdapterByWay = Callable[[bytes, str | None, Way], Draft]
"""The same, of a source whose bodies leave something to the way they came."""

ADAPTERS: Mapping[str, Adapter] = {
    "alfatrack": alfatrack.read,
    "contactatonce": contactatonce.read,
}
ADAPTERS_BY_WAY: Mapping[str, AdapterByWay] = {
    "adf": adf_inbound.read,
    "bdk": bdk_inbound.read,
    "virtualexpo": virtualexpo_inbound.read,
}

SPLITTERS: Mapping[str, Callable[[bytes, str | None], Sequence[Part]]] = {"adf": adf.split}
"""Of sources whose messages may tell of several leads."""


def split(source: str, data: bytes, content_type: str | None) -> Sequence[Part]:
    """A part for each lead in `data`; none where it holds one. Raises Rejection and nothing else."""
    splitter = SPLITTERS.get(source)
    return splitter(data, content_type) if splitter else ()


def read(
    source: str, data: bytes, content_type: str | None, way: Way, lead_types: LeadTypes = TYPES
) -> Draft | Knowledge:
    """What `source` tells in `data`, which came by `way`; raises Rejection and nothing else.

    `lead_types` are the readings in force of the types of the source that has such.
    """
    if source == "bdk":
        return bdk_inbound.read(data, content_type, way, lead_types)
    if (by_way := ADAPTERS_BY_WAY.get(source)) is not None:
        return by_way(data, content_type, way)
    adapter = ADAPTERS.get(source)
    if adapter is None:
        raise Rejection("source_unknown", "this release reads no messages of the source")
    return adapter(data, content_type)
