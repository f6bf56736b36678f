"""Is it the database that is away, or our statement that is wrong? The one place that decides."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
from sqlalchemy import exc as sqlalchemy_errors

# SQLSTATE classes: connection exception; insufficient resources (disk full, memory, too many
# connections); operator intervention (shutdown, cannot connect now, cancelled by a timeout).
_AWAY_CLASSES = ("08", "53", "57")
_AWAY_STATES = frozenset(
    {
        "40001",  # serialization failure
        "40P01",  # deadlock: one of the two has to try again
        "25006",  # read-only transaction: a standby, or a primary that was demoted
        "25P03",  # idle in transaction timeout
        "25P04",  # transaction timeout
        "55P03",  # lock not available: lock_timeout
        "58030",  # I/O error of the server
    }
)
# Invalid authorization (a password was rotated); no such database; a right revoked; no such table.
_REFUSING_CLASS = "28"
_REFUSING_STATES = frozenset({"3D000", "42501", "42P01"})
_CLOSED_WORDS = ("clos", "released back to the pool")


class DatabaseUnavailable(Exception):  # noqa: N818 -- it names a condition, as http.HTTPStatus does
    """The database cannot be asked right now; the same call may work later."""


def is_unavailable(error: BaseException) -> bool:
    """Whether the same work may succeed unchanged once the database is back.

    Knows asyncpg's errors, the same wrapped by SQLAlchemy, operating system errors of the network, and
    timeouts of the client. Looks through explicit causes and groups (a group is unavailable when every
    member is), never through ``__context__``.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(is_unavailable(member) for member in error.exceptions)
    return any(_says_away(link) for link in _causes(error))


def is_out_of_reach(error: BaseException) -> bool:
    """Unavailable, or refusing us until somebody sets something right: password, rights, schema.

    For those who judge a piece of work by its error: the work is not at fault, and must not be given up.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(is_out_of_reach(member) for member in error.exceptions)
    return is_unavailable(error) or any(_says_refusing(link) for link in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        original = getattr(link, "orig", None)
        link = original if isinstance(original, BaseException) else link.__cause__


def _says_away(error: BaseException) -> bool:
    if isinstance(error, DatabaseUnavailable | OSError | sqlalchemy_errors.TimeoutError):
        return True  # builtins.TimeoutError and every ConnectionError are OSErrors
    if isinstance(error, sqlalchemy_errors.DBAPIError) and error.connection_invalidated:
        return True
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str) and (state[:2] in _AWAY_CLASSES or state in _AWAY_STATES):
        return True
    return _says_closed(error)


def _says_refusing(error: BaseException) -> bool:
    state = getattr(error, "sqlstate", None)
    return isinstance(state, str) and (state.startswith(_REFUSING_CLASS) or state in _REFUSING_STATES)


def _says_closed(error: BaseException) -> bool:
    # asyncpg has no code for these: used after the close; used after the pool has noticed the loss and taken
    # the connection back from whoever holds it; and used between the loss of the server and the close, when
    # its protocol is in a state that only a new connection gets out of.
    if isinstance(error, asyncpg.InternalClientError):
        return True
    return isinstance(error, asyncpg.InterfaceError) and any(word in str(error) for word in _CLOSED_WORDS)
