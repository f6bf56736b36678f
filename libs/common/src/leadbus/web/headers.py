"""Headers of a request, read where it is not worth a framework's object."""

from __future__ import annotations

from starlette.types import Scope


def header_of(scope: Scope, name: bytes) -> str | None:
    """The first header called `name`, in lower case as ASGI servers give names; None without one."""
    for its_name, value in scope["headers"]:
        if its_name == name:
            return bytes(value).decode("latin-1")
    return None
