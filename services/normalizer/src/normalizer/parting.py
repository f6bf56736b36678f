"""A message that tells of several leads becomes a raw message for each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from normalizer.domain import escaping
from normalizer.domain.identity import raw_key
from normalizer.domain.raw import Raw
from normalizer.domain.rejection import Rejection
from normalizer.sources import Part, split


def parted(raw: Raw) -> Sequence[Raw]:
    """`raw` itself, or a raw message for each lead in it: the first under its id, the others numbered.

    Each has bytes of its own, so that whoever is in one of them can be forgotten without the others.
    """
    if raw.rejection is not None:
        return (raw,)
    try:
        parts = split(raw.source, raw.data, raw.content_type)
    except Rejection as rejection:
        return (replace(raw, rejection=rejection),)
    return tuple(_part(raw, number, part) for number, part in enumerate(parts, start=1)) or (raw,)


def _part(raw: Raw, number: int, part: Part) -> Raw:
    wire_id = raw.wire_id if number == 1 else f"{raw.wire_id}#{number}"
    digest = hashlib.sha256(part.body).hexdigest()
    return replace(
        raw,
        key=raw_key(raw.source, raw.account, wire_id, digest),
        wire_id=wire_id,
        digest=digest,
        body=part.body,
        data=part.body,
        content_type=part.content_type,
        attributes=_attributes(raw, number, part),
    )


def _attributes(raw: Raw, number: int, part: Part) -> str:
    """As they came, but for the type of what is kept; read again, the part is a body of its own."""
    told = escaping.load(raw.attributes)
    properties = {**told["properties"], "content_type": part.content_type}
    # A part is no CloudEvents document, even where the whole was one that told its way inside.
    way = raw.way.extensions
    more = {"part": number, "part_of": str(raw.key), "way": way}
    return escaping.dump({**told, "properties": properties, **more})
