"""The ``Idempotency-Key`` header: a sender's own name for one request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest.domain.refusal import Reason, Refusal

MAX_LENGTH = 255
_FORM = re.compile(rf"[!-~](?:[ -~]{{0,{MAX_LENGTH - 2}}}[!-~])?")


def read(headers: Sequence[str]) -> str | None:
    """The key, or None without the header; quotes around it (RFC 9651 strings) do not belong to it.

    Raises Refusal ``header_invalid`` for several headers, none or more than 255 characters, or characters
    outside visible ASCII.
    """
    if not headers:
        return None
    key = headers[0]
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(headers) > 1 or not _FORM.fullmatch(key):
        what = f"Idempotency-Key must be one header of 1 to {MAX_LENGTH} visible ASCII characters."
        raise Refusal(Reason.HEADER_INVALID, what)
    return key
