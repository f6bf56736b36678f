"""The one place where a refusal of the door becomes an answer."""

from __future__ import annotations

from typing import Any

from leadbus.web import Problem, ProblemType, problem_type
from leadbus.web.problems import BAD_REQUEST, MALFORMED_BODY, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE

from ingest.domain import media_type
from ingest.domain.refusal import Reason, Refusal

UNKNOWN_SOURCE = problem_type(
    "unknown-source",
    404,
    "There is no such source",
    "The last segment of the address is no source that can push here, or its door is not set up.",
    "Correct the address, or ask the operator for a `Source` setting.",
)
API_KEY_NEEDED = problem_type(
    "api-key-needed",
    401,
    "A valid API key is needed",
    "No API key, or one that is unknown, expired or revoked.",
    "Send `Authorization: Bearer lbk_...` or `X-Api-Key: lbk_...` with the key you were given.",
)
KEY_OF_OTHER_SOURCE = problem_type(
    "key-of-other-source",
    403,
    "The API key belongs to another source",
    "The key is valid, but each key brings messages of one source only.",
    "Post to the address of the key's own source.",
)
SOURCE_DISABLED = problem_type(
    "source-disabled",
    403,
    "The source is switched off",
    "The operator closed this source's door. Nothing was stored.",
    "Keep what you have and ask the operator.",
)
ACCOUNT_NOT_SERVED = problem_type(
    "account-not-served",
    403,
    "The account is not served",
    "The source's setting names the accounts it serves, and the API key's is not among them.",
    "Ask the operator.",
)
TEST_NOT_ALLOWED = problem_type(
    "test-not-allowed",
    403,
    "Test messages are not taken",
    "The message was marked `?test=true`, and the source's setting does not allow that.",
    "Use `?validate=true`, which stores nothing.",
)
TOO_SLOW = problem_type(
    "too-slow",
    408,
    "The body came too slowly",
    "The body was not complete within the time the service gives.",
    "Repeat the request.",
)
XML_FORBIDDEN = problem_type(
    "xml-forbidden",
    400,
    "XML with a DOCTYPE or entities",
    "A DOCTYPE, or a reference to an entity other than the five of XML itself.",
    "Send the XML without DOCTYPE; write characters as themselves or as numbers.",
)
IDEMPOTENCY_KEY_REUSED = problem_type(
    "idempotency-key-reused",
    409,
    "The Idempotency-Key stands for another body",
    "The key was used before, with another body or another `test` mark. `raw_id` names that message.",
    "Give every message a key of its own.",
)

_KINDS: dict[Reason, ProblemType] = {
    Reason.UNKNOWN_SOURCE: UNKNOWN_SOURCE,
    Reason.KEY_MISSING: API_KEY_NEEDED,
    Reason.KEY_INVALID: API_KEY_NEEDED,
    Reason.KEY_OF_OTHER_SOURCE: KEY_OF_OTHER_SOURCE,
    Reason.SOURCE_DISABLED: SOURCE_DISABLED,
    Reason.ACCOUNT_NOT_SERVED: ACCOUNT_NOT_SERVED,
    Reason.TEST_NOT_ALLOWED: TEST_NOT_ALLOWED,
    Reason.TOO_LARGE: TOO_LARGE,
    Reason.TOO_SLOW: TOO_SLOW,
    Reason.INCOMPLETE: BAD_REQUEST,
    Reason.UNSUPPORTED_TYPE: UNSUPPORTED_MEDIA_TYPE,
    Reason.NOT_JSON: MALFORMED_BODY,
    Reason.NOT_XML: MALFORMED_BODY,
    Reason.TOO_DEEP: MALFORMED_BODY,
    Reason.XML_FORBIDDEN: XML_FORBIDDEN,
    Reason.HEADER_INVALID: BAD_REQUEST,
    Reason.KEY_REUSED: IDEMPOTENCY_KEY_REUSED,
}


def problem_of(refusal: Refusal) -> Problem:
    """The problem document of a refusal: ``code`` is the reason, ``position`` where the body is wrong."""
    kind = _KINDS[refusal.reason]
    extensions: dict[str, Any] = {"code": refusal.reason.value, **refusal.facts}
    headers: dict[str, str] = {}
    if refusal.position is not None:
        position = refusal.position
        extensions["position"] = {"line": position.line, "column": position.column, "byte": position.byte}
    if kind is API_KEY_NEEDED:
        headers["WWW-Authenticate"] = "Bearer"
    if kind is UNSUPPORTED_MEDIA_TYPE:
        extensions["accepted"] = list(media_type.ACCEPTED)
    return Problem(kind, refusal.detail, headers=headers, **extensions)
