"""Is a body what its content type says?"""

from __future__ import annotations

from ingest.domain import json_body, xml_body
from ingest.domain.media_type import Form, MediaType


def check(body: bytes, media_type: MediaType) -> None:
    """Raise Refusal with a position unless ``body`` is well-formed; understands nothing of what it says."""
    if media_type.form is Form.JSON:
        json_body.check(body)
    else:
        xml_body.check(body, media_type.charset)
