"""One address in front of several servers, as a Service of Kubernetes is in front of a cluster's nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from leadbus_devstack.fault_proxy import HELD_BYTES, HOST, FaultProxy


class Balancer(FaultProxy):
    """New connections go to the first of `targets` (ports of loopback) that accepts them.

    Connections that exist stay where they are, and end with their server.
    """

    def __init__(self, targets: Sequence[int], *, port: int = 0) -> None:
        super().__init__(HOST, targets[0], port=port)
        self._targets = tuple(targets)

    def prefer(self, target: int) -> None:
        """From now on `target` is asked first."""
        self._targets = (target, *(port for port in self._targets if port != target))

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for port in self._targets[:-1]:
            try:
                return await asyncio.open_connection(self.host, port, limit=HELD_BYTES)
            except OSError:
                continue
        return await asyncio.open_connection(self.host, self._targets[-1], limit=HELD_BYTES)
