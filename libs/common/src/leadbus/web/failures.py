"""The one place where an error below a route becomes an answer."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import Message
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from leadbus.web.limits import BodyTooLarge
from leadbus.web.problems import (
    BAD_REQUEST,
    FORBIDDEN,
    HTTP,
    INTERNAL,
    INVALID,
    MALFORMED_BODY,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA_TYPE,
    FieldError,
    Problem,
)

RETRY_AFTER_SECONDS = 5
_BY_STATUS = {
    400: BAD_REQUEST,
    401: UNAUTHENTICATED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    405: METHOD_NOT_ALLOWED,
    415: UNSUPPORTED_MEDIA_TYPE,
}


def install(app: FastAPI) -> None:
    """Answer Problems, framework errors and validation errors as problem documents."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(BodyTooLarge, _on_too_large)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)


def problem_of(error: BaseException) -> Problem:
    """What the caller is told about an error nobody below answered: away, or our defect; no details."""
    from leadbus.db import is_out_of_reach

    if isinstance(error, Problem):
        return error
    if is_out_of_reach(error):
        return Problem(UNAVAILABLE, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    return Problem(INTERNAL)


def field_errors(errors: Sequence[Any], *, under: str = "") -> list[FieldError]:
    """pydantic's errors as FieldErrors below the JSON pointer `under`; their messages, never inputs.

    Messages of validators of ours (`value_error`) are said as they are: they must not quote values.
    """
    return [
        FieldError(
            detail=str(error["msg"]).removeprefix("Value error, "),
            code=str(error["type"]),
            pointer=under + "".join(f"/{_escaped(part)}" for part in error["loc"]),
        )
        for error in errors
    ]


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(request, error)


async def _on_too_large(request: Request, error: Exception) -> Response:
    assert isinstance(error, BodyTooLarge)
    return _answer(request, error.problem)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code)
    headers = dict(error.headers or {})
    if kind is not None:
        return _answer(request, Problem(kind, headers=headers))
    problem = Problem(HTTP, headers=headers, status=error.status_code, title=_phrase(error.status_code))
    response = _answer(request, problem)
    response.status_code = error.status_code
    return response


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _answer(request, _problem_of_invalid(request, error.errors()))


def _problem_of_invalid(request: Request, errors: Sequence[Any]) -> Problem:
    first = errors[0]
    if first["type"] == "json_invalid":
        return Problem(MALFORMED_BODY, "not JSON", position=first["loc"][-1])
    a_body_came = tuple(first["loc"]) == ("body",) and first["type"] != "missing"
    if a_body_came and not _is_json(request.headers.get("content-type")):
        return Problem(UNSUPPORTED_MEDIA_TYPE, accepted=["application/json"])
    return Problem(INVALID, errors=[_field_error(item) for item in errors])


def _field_error(error: Any) -> FieldError:
    place, *path = error["loc"]
    if place == "body":
        return field_errors([{**error, "loc": path}])[0]
    return FieldError(
        detail=str(error["msg"]).removeprefix("Value error, "),
        code=str(error["type"]),
        parameter=".".join(str(part) for part in path) or str(place),
    )


def _answer(request: Request, problem: Problem) -> Response:
    request.scope.setdefault("state", {})["problem"] = problem.kind.slug
    return problem.response()


def _escaped(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _is_json(content_type: str | None) -> bool:
    message = Message()
    message["content-type"] = content_type or ""
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (
        subtype == "json" or subtype.endswith("+json")
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "HTTP error"
