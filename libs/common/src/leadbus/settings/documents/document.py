"""A document, its history, and the difference between two states of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from leadbus.settings.documents.kind import Notice, leaves

Action = Literal["created", "changed", "unchanged", "deleted"]


class Document(BaseModel):
    """A setting in force. The ETag header carries `etag` for `If-Match`."""

    kind: str
    name: str
    spec: dict[str, Any] = Field(description="As the JSON Schema of the kind says.")
    revision: int = Field(description="Counts changes from 1.")
    etag: str
    managed_by: str = Field(description="Who keeps it: `hand`, `git`, a tool's name.")
    updated_at: datetime
    updated_by: str


class Revision(BaseModel):
    """One change of a document."""

    revision: int
    action: Literal["created", "changed", "deleted"]
    spec: dict[str, Any] | None = Field(description="The state after the change; null after deletion.")
    managed_by: str
    at: datetime
    actor: str


class Difference(BaseModel):
    """One field that differs. A side that has no such field is null."""

    pointer: str = Field(description="JSON pointer into the spec.")
    before: Any = None
    after: Any = None


class Change(BaseModel):
    """What a PUT or DELETE did, or would do (`dry_run`)."""

    action: Action
    dry_run: bool
    diff: list[Difference]
    document: Document | None = Field(description="The state after the change; null after deletion.")
    notices: list[Notice] = Field(default_factory=list, description="What is odd about the new state.")


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Difference]:
    """Field by field, in the order of the new state, then what it lacks."""
    old = dict(leaves(before)) if before else {}
    new = dict(leaves(after)) if after else {}
    pointers = [*new, *(pointer for pointer in old if pointer not in new)]
    return [
        Difference(pointer=pointer, before=old.get(pointer), after=new.get(pointer))
        for pointer in pointers
        if pointer not in old or pointer not in new or old[pointer] != new[pointer]
    ]
