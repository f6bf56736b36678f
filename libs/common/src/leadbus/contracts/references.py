"""Values that senders of raw payloads tell alike: ids, a dealer's reference, links."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from leadbus.contracts.web_link import is_web_link
from leadbus.contracts.wire import Code

LONGEST_REFERENCE_CHARS = 200
"""No Location setting could name a longer one."""

_SEEN = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def mappable(written: str) -> str:
    """``written``, if a Location setting can map it. Raises ValueError."""
    if len(" ".join(written.split())) > LONGEST_REFERENCE_CHARS:
        raise ValueError("too long")
    return written


def web_link(written: str) -> str:
    """``written``, if it may be shown as a link or is blank. Raises ValueError."""
    if written.strip() and not is_web_link(written):
        raise ValueError("not an http or https address")
    return written


def _not_blank(written: str) -> str:
    if not _SEEN.search(written):
        raise ValueError("blank")
    return written


# Senders write ids as numbers or as text; either is read.
ToldId = Annotated[
    Code,
    Field(min_length=1),
    AfterValidator(_not_blank),
    WithJsonSchema({"type": ["string", "integer"], "minLength": 1}),
]
"""An id by which something is known again."""

Reference = Annotated[ToldId, AfterValidator(mappable)]
"""A source's own id of a dealer."""
