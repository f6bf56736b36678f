"""Entity tags: whoever overwrites says what he has seen (RFC 9110, 13.1)."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Response

from leadbus.web.problems import (
    BAD_REQUEST,
    PRECONDITION_FAILED,
    PRECONDITION_REQUIRED,
    FieldError,
    Problem,
)

_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e]*)"')


def etag_of(*parts: Any) -> str:
    """A tag (without quotes) that differs when any of the JSON-like `parts` does."""
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Condition:
    """`If-Match` / `If-None-Match` of a request. `tags` None: no `If-Match`; `("*",)`: any state."""

    tags: tuple[str, ...] | None = None
    must_be_new: bool = False

    def check(self, current: str | None, *, required: bool = True) -> None:
        """Compare with the present tag (None: the thing does not exist).

        Raises Problem precondition-failed or, for an existing thing without `If-Match`,
        precondition-required.
        """
        if current is None:
            if self.tags is not None:
                raise Problem(PRECONDITION_FAILED, "it does not exist")
            return
        if self.must_be_new:
            raise Problem(PRECONDITION_FAILED, "it exists already", headers=_header(current))
        if self.tags is None:
            if required:
                raise Problem(PRECONDITION_REQUIRED, headers=_header(current))
            return
        if "*" not in self.tags and current not in self.tags:
            raise Problem(PRECONDITION_FAILED, headers=_header(current))


def _condition(
    if_match: Annotated[str | None, Header(description="ETag of the state that was seen, or *.")] = None,
    if_none_match: Annotated[str | None, Header(description="* to create only.")] = None,
) -> Condition:
    if if_none_match is not None and if_none_match.strip() != "*":
        raise Problem(
            BAD_REQUEST, errors=[FieldError("only * is taken", "if_none_match", parameter="If-None-Match")]
        )
    return Condition(
        tags=None if if_match is None else _tags(if_match), must_be_new=if_none_match is not None
    )


if_match = Depends(_condition)
"""Dependency: `condition: Annotated[Condition, if_match]`."""


def set_etag(response: Response, tag: str) -> None:
    """Put the tag on a response."""
    response.headers.update(_header(tag))


def none_match(header: str | None, current: str) -> bool:
    """Whether `If-None-Match` of a GET names the present state (304)."""
    return header is not None and (header.strip() == "*" or current in _TAG.findall(header))


def _tags(header: str) -> tuple[str, ...]:
    if header.strip() == "*":
        return ("*",)
    tags = tuple(_TAG.findall(header))
    if not tags:
        raise Problem(BAD_REQUEST, errors=[FieldError("not an entity tag", "if_match", parameter="If-Match")])
    return tags


def _header(tag: str) -> dict[str, str]:
    return {"ETag": f'"{tag}"'}
