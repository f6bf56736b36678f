"""What the OpenAPI document says beyond types."""

from __future__ import annotations

from typing import Any

from leadbus.contracts.examples import CONTACTATONCE, CONTACTATONCE_XML

from ingest.api.models import Rehearsal
from ingest.domain import idempotency_key

POST = """\
Stores the body byte for byte and answers **202 only when it is committed**; publishing follows, also
when RabbitMQ is away just now. Well-formedness is all that is asked of the body, and of ADF not even that:
what it says is read behind the door, and what cannot be read there is kept, shown to an operator and can be
processed again.

Checked in this order: the source's name (404), the API key (401), that it is a key of this source (403),
that the source is set up (404) and open (403), headers (400, 415), size (413), time (408), body (400).

**Repeats.** The same `Idempotency-Key` with the same body, or the same body and `Content-Type` of the same
account within the source's duplicate window (10 minutes unless set otherwise), is one message: the answer
is the first one's with `duplicate: true`. The same key with another body is refused (409). Keys are
remembered as long as the message is kept.

**When to repeat a request:** after no answer, 408 or 5xx, with the same `Idempotency-Key`. Never after
another 4xx: the same request would be refused again.
"""

GET = """\
`accepted`: stored, not yet confirmed by RabbitMQ. `published`: confirmed. A sender sees the messages of
its own source and account, an operator's token all. Published messages are forgotten after the retention
time; the normalizer keeps what it made of them.
"""

BODY = """\
For operators: the bytes as received, as a download. The look is recorded with its actor.
"""

ACCEPTED: dict[str, Any] = {
    "description": "Taken and stored, or taken before (`duplicate`).",
    "headers": {"Location": {"description": "Where to ask what became of it.", "schema": {"type": "string"}}},
}
REHEARSED: dict[str, Any] = {
    "description": "Answer to `?validate=true`: what the request would have met.",
    "model": Rehearsal,
}

_ANY: dict[str, Any] = {"description": "Whatever the source sends; read behind the door."}
_EXAMPLES = {
    name: {"summary": f"ContactAtOnce: {name}", "value": payload} for name, payload in CONTACTATONCE.items()
}

POST_EXTRA: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "The sender's own name for this message; the same on every repeat of it.",
            "schema": {"type": "string", "minLength": 1, "maxLength": idempotency_key.MAX_LENGTH},
            "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
        }
    ],
    "requestBody": {
        "required": True,
        "description": "JSON or XML, also `application/*+json` and `application/*+xml`. Not compressed.",
        "content": {
            "application/json": {"schema": _ANY, "examples": _EXAMPLES},
            "application/xml": {"schema": {"type": "string"}, "example": CONTACTATONCE_XML},
            "text/xml": {"schema": {"type": "string"}, "example": CONTACTATONCE_XML},
        },
    },
}
