"""Names of what a client has Postgres do, by its wire protocol (version 3), for counting.

A statement is a simple Query or an Execute: whatever the client makes the server run, BEGIN and COMMIT
included. A commit is what xact_commit counts: the end of a transaction, a lone statement being one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

STATEMENT = "statement"
COMMIT = "commit"
_SSL_REQUEST = 80_877_103
_QUERY, _EXECUTE, _COMPLETE, _READY = b"Q", b"E", b"C", b"Z"
_IDLE = b"I"


class PostgresNames:
    """One connection."""

    def __init__(self) -> None:
        self._sent, self._answered = _Messages(), _Messages()
        self._started = False
        self._asked_for_ssl = False
        self._in_block = False
        self._completed = False

    def sent(self, data: bytes) -> Iterator[str]:
        if not self._started:
            data = self._start(data)
        for kind, _ in self._sent.feed(data):
            if kind in (_QUERY, _EXECUTE):
                yield STATEMENT

    def answered(self, data: bytes) -> Iterator[str]:
        if self._asked_for_ssl:
            self._asked_for_ssl = False
            data = data[1:]
        for kind, payload in self._answered.feed(data):
            if kind == _COMPLETE:
                self._completed = True
            elif kind == _READY:
                in_block = payload != _IDLE
                if not in_block and self._completed:
                    yield COMMIT
                self._completed = in_block and self._completed

    def _start(self, data: bytes) -> bytes:
        """The first message has no type. Both of its kinds come alone: their sender waits for the answer."""
        size, code = struct.unpack_from(">II", data)
        if code == _SSL_REQUEST:
            self._asked_for_ssl = True
        else:
            self._started = True
        return data[size:]


class _Messages:
    """Cuts a stream of typed messages: one byte, four bytes of length that count themselves."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        data = self._rest + data
        at = 0
        while len(data) - at >= 5:
            (size,) = struct.unpack_from(">I", data, at + 1)
            after = at + 1 + size
            if after > len(data):
                break
            yield data[at : at + 1], data[at + 5 : after]
            at = after
        self._rest = data[at:]
