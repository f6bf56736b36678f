"""A mail server that takes everything and keeps nothing but when: as little in the way as a server can be.

Its file gets a line per mail: the number of its lead, and the monotonic clock when it was accepted.

    python -m tests.bench.smtp_sink <port> <file>
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

_END = b"\r\n.\r\n"
_NUMBER = re.compile(rb"CAO-(\d{7})")
_ANSWERS = {
    b"EHLO": b"250-sink.leadbus.test\r\n250-8BITMIME\r\n250 SIZE 33554432\r\n",
    b"HELO": b"250 sink.leadbus.test\r\n",
    b"MAIL": b"250 2.1.0 ok\r\n",
    b"RCPT": b"250 2.1.5 ok\r\n",
    b"RSET": b"250 2.0.0 ok\r\n",
    b"NOOP": b"250 2.0.0 ok\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}


class Session(asyncio.Protocol):
    """One client. It has to wait for the answer to DATA; other commands may come together."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._waiting = b""
        self._content = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"220 sink.leadbus.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while self._take_mail() if self._content else self._take_command():
            pass

    def _take_command(self) -> bool:
        line, ended, rest = self._waiting.partition(b"\r\n")
        if not ended:
            return False
        self._waiting = rest
        verb = line[:4].upper()
        self._content = verb == b"DATA"
        self._transport.write(_ANSWERS.get(verb, b"502 5.5.1 not here\r\n"))
        if verb == b"QUIT":
            self._transport.close()
        return True

    def _take_mail(self) -> bool:
        end = self._waiting.find(_END)
        if end < 0:
            return False
        mail, self._waiting = self._waiting[:end], self._waiting[end + len(_END) :]
        self._content = False
        self._transport.write(b"250 2.0.0 taken\r\n")
        if found := _NUMBER.search(mail):
            os.write(self._file, b"%b %.6f\n" % (found[1], time.monotonic()))
        return True


async def serve(port: int, file: Path) -> None:
    """Until cancelled."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    server = await asyncio.get_running_loop().create_server(lambda: Session(descriptor), "127.0.0.1", port)
    await server.serve_forever()


def accepted(file: Path) -> dict[int, float]:
    """When each lead's mail was accepted, by the lead's number; the first time counts."""
    moments: dict[int, float] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        number, _, moment = line.partition(" ")
        moments.setdefault(int(number), float(moment))
    return moments


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
