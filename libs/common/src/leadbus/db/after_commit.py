"""What is to happen once a transaction is committed, asked for by those who write inside it."""

from __future__ import annotations

from collections.abc import Callable

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


class CommitHooks:
    """The hooks that are asked for in ``conn``'s transaction, until they are forgotten."""

    __slots__ = ("_conn_id", "_hooks")

    def __init__(self, conn: object) -> None:
        self._conn_id = id(conn)
        self._hooks: list[Hook] = []
        _asked[self._conn_id] = self._hooks

    def committed(self) -> None:
        for hook in self._hooks:
            hook()

    def forget(self) -> None:
        del _asked[self._conn_id]
