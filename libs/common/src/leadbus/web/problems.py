"""Everything that goes wrong over HTTP is a problem document (RFC 9457) of a registered type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

BASE_URI = "https://leadbus.dev/problems/"
MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem: stable slug, HTTP status, and what it means to whoever meets it."""

    slug: str
    status: int
    title: str
    meaning: str
    what_to_do: str

    @property
    def uri(self) -> str:
        return BASE_URI + self.slug


REGISTRY: dict[str, ProblemType] = {}


def problem_type(slug: str, status: int, title: str, meaning: str, what_to_do: str) -> ProblemType:
    """Register a problem type; services add theirs beside the code that raises them."""
    declared = ProblemType(slug, status, title, meaning, what_to_do)
    if REGISTRY.setdefault(slug, declared) != declared:
        raise ValueError(f"problem type {slug} is registered twice and differently")
    return declared


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: where (JSON pointer into the body, or a parameter) and what, never its value."""

    detail: str
    code: str
    pointer: str | None = None
    parameter: str | None = None

    def document(self) -> dict[str, str]:
        said = {"detail": self.detail, "code": self.code}
        if self.pointer is not None:
            said["pointer"] = self.pointer
        if self.parameter is not None:
            said["parameter"] = self.parameter
        return said


class Problem(Exception):  # noqa: N818 - the name RFC 9457 gives it
    """Raised anywhere below a route; becomes the response.

    `kind` is a ProblemType or the slug of one; `detail` is for people and never quotes what was sent;
    `extensions` become members of the document.
    """

    def __init__(
        self,
        kind: ProblemType | str,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        self.kind = REGISTRY[kind] if isinstance(kind, str) else kind
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extensions = extensions
        super().__init__(f"{self.kind.slug}: {detail or self.kind.title}")

    def document(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            "type": self.kind.uri,
            "title": self.kind.title,
            "status": self.kind.status,
            **self.extensions,
        }
        if self.detail:
            said["detail"] = self.detail
        if self.errors:
            said["errors"] = [error.document() for error in self.errors]
        return said

    def response(self) -> JSONResponse:
        return JSONResponse(self.document(), self.kind.status, self.headers, MEDIA_TYPE)


class FieldErrorDocument(BaseModel):
    model_config = ConfigDict(title="FieldError")

    detail: str
    code: str
    pointer: str | None = Field(None, description="JSON pointer into the request body.")
    parameter: str | None = Field(None, description="Name of a query, path or header parameter.")


class ProblemDocument(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(title="Problem", extra="allow")

    type: str = Field(description="Stable URI of the kind of problem.")
    title: str
    status: int
    detail: str | None = None
    errors: list[FieldErrorDocument] | None = None


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route for statuses `create_app` does not document by itself."""
    return {
        status: {
            "description": "; ".join(kind.title for kind in REGISTRY.values() if kind.status == status)
            or "Problem",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


MALFORMED_BODY = problem_type(
    "malformed-body",
    400,
    "The body cannot be read",
    "The body is not what its content type says, for example no JSON.",
    "Send a body that parses; `position` is where reading stopped.",
)
BAD_REQUEST = problem_type(
    "bad-request", 400, "Bad request", "The request cannot be read as HTTP asks.", "Correct the request."
)
UNKNOWN_PARAMETER = problem_type(
    "unknown-parameter",
    400,
    "Unknown query parameter",
    "A list was asked with a parameter it does not know. Lists refuse rather than ignore a filter.",
    "Use the parameters named in the problem.",
)
INVALID_CURSOR = problem_type(
    "invalid-cursor",
    400,
    "The cursor cannot be used",
    "The cursor was not given out by this list, or for another sort.",
    "Start again without a cursor.",
)
UNAUTHENTICATED = problem_type(
    "unauthenticated",
    401,
    "A valid token is needed",
    "No bearer token, or one that is not valid any more or never was.",
    "Send `Authorization: Bearer ...` with a token of the configured issuer.",
)
FORBIDDEN = problem_type(
    "forbidden",
    403,
    "The token does not allow this",
    "The token is valid, its role or its dealers do not allow the request.",
    "Ask for a token with the role named in the problem.",
)
NOT_FOUND = problem_type(
    "not-found",
    404,
    "Not found",
    "There is no such thing, or the token's dealers do not include it.",
    "Check the address.",
)
METHOD_NOT_ALLOWED = problem_type(
    "method-not-allowed",
    405,
    "Method not allowed",
    "The address exists, the method does not apply to it.",
    "Use a method of the `Allow` header.",
)
CONFLICT = problem_type(
    "conflict",
    409,
    "Conflict",
    "The request does not fit the state the thing is in.",
    "Read the thing and decide again.",
)
MANAGED_ELSEWHERE = problem_type(
    "managed-elsewhere",
    409,
    "Managed by someone else",
    "The setting records another manager (for example Git) than the request names.",
    "Change it there, or repeat with `take_over=true`.",
)
STILL_REFERENCED = problem_type(
    "still-referenced",
    409,
    "Other settings refer to it",
    "Settings named in the problem refer to the one to be deleted.",
    "Change or delete those first.",
)
PRECONDITION_FAILED = problem_type(
    "precondition-failed",
    412,
    "It changed meanwhile",
    "`If-Match` names a state that is not the present one (or `If-None-Match: *` met an existing thing).",
    "Read it again and repeat with its ETag.",
)
TOO_LARGE = problem_type(
    "too-large",
    413,
    "The body is too large",
    "The body has more bytes than the limit named in the problem.",
    "Send less.",
)
UNSUPPORTED_MEDIA_TYPE = problem_type(
    "unsupported-media-type",
    415,
    "The content type is not taken here",
    "The `Content-Type` is missing or none of those the address takes.",
    "Send one of the types named in the problem.",
)
INVALID = problem_type(
    "invalid",
    422,
    "The request is readable, but not valid",
    "Fields are missing or wrong; `errors` says which by JSON pointer or parameter.",
    "Correct the fields. Values are never repeated in the answer.",
)
PRECONDITION_REQUIRED = problem_type(
    "precondition-required",
    428,
    "If-Match is needed",
    "The thing exists, and overwriting it without having seen it could undo somebody's change.",
    "Read it and send its ETag in `If-Match`.",
)
INTERNAL = problem_type(
    "internal",
    500,
    "The service failed",
    "A defect. The log has a line with the correlation id of the response.",
    "Report it with the `X-Correlation-Id` of the response.",
)
UNAVAILABLE = problem_type(
    "unavailable",
    503,
    "Not available just now",
    "The service cannot reach its database (or the token issuer's keys). Nothing was stored.",
    "Repeat after `Retry-After` seconds.",
)
HTTP = problem_type(
    "http",
    400,
    "HTTP error",
    "Any status without a type of its own; the document's `status` is the one that counts.",
    "See the status.",
)
