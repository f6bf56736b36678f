"""`host`, `host:port` and `[address]:port` as people write them."""

from __future__ import annotations

import re

_HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")


def host_and_port(value: str) -> tuple[str, int | None]:
    """`mx.example:2525` → `("mx.example", 2525)`; without a port None. Raises ValueError."""
    found = _HOST.fullmatch(value.strip())
    port = int(found["port"]) if found and found["port"] else None
    if found is None or (port is not None and not 1 <= port <= 65535):
        raise ValueError("each is `host`, `host:port` or `[IPv6 address]:port`")
    return found["address"] or found["name"], port
