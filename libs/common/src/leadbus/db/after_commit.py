"""What is to happen once a transaction is committed, asked for by those who write inside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Hook = Callable[[], None]

_asked: dict[int, list[Hook]] = {}
"""By the id of a connection that is in a transaction now."""


def on_commit(conn: object, hook: Hook) -> None:
    """Have ``hook`` called right after the commit of the ``Database.transaction`` that ``conn`` is in.

    It is forgotten when the transaction rolls back, or when nobody answers the commit; so it may hasten what
    is found in the database anyway, and nothing may depend on it. It must not raise. Raises RuntimeError
    outside a transaction.
    """
    hooks = _asked.get(id(conn))
    if hooks is None:
        raise RuntimeError("there is no transaction to wait for")
    hooks.append(hook)


@contextmanager
def commit_hooks(conn: object) -> Iterator[Hook]:
    """Collect hooks of ``conn``'s transaction; call what this yields when it is committed."""
    hooks = _asked[id(conn)] = []

    def committed() -> None:
        for hook in hooks:
            hook()

    try:
        yield committed
    finally:
        del _asked[id(conn)]
