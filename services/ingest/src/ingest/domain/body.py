"""Is a body what its content type says?"""

from __future__ import annotations

from ingest.domain import json_body, xml_body
from ingest.domain.media_type import Form, MediaType
from ingest.domain.refusal import Position, Reason, Refusal


def check(body: bytes, media_type: MediaType) -> None:
    """Raise Refusal with a position unless ``body`` is well-formed; understands nothing of what it says.

    One that is mended behind the door only has to be there.
    """
    if media_type.form is Form.MENDED:
        if not body.strip():
            raise Refusal(Reason.NOT_XML, "No element found.", Position(1, 1, 0))
    elif media_type.form is Form.JSON:
        json_body.check(body)
    else:
        xml_body.check(body, media_type.charset)
