"""Free TCP ports on loopback."""

from __future__ import annotations

import random
import socket

# Below the range that the kernel takes source ports from, so that no outgoing connection of anybody
# sits on a port between our look and the server's bind.
_FIRST, _LAST = 20_000, 32_000
_handed_out: set[int] = set()


def is_free(port: int) -> bool:
    """True when a server could listen on `port`, on loopback and on every address."""
    for address in ("127.0.0.1", "0.0.0.0"):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def free_ports(count: int) -> list[int]:
    """`count` different ports nobody listens on; never the same twice within a process."""
    source = random.SystemRandom()
    found: list[int] = []
    while len(found) < count:
        port = source.randrange(_FIRST, _LAST)
        if port not in _handed_out and is_free(port):
            _handed_out.add(port)
            found.append(port)
    return found


def listening(port: int, host: str = "127.0.0.1") -> bool:
    """True when something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
