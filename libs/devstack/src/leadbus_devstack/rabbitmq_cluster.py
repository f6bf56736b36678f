"""Three RabbitMQ nodes on loopback that are one cluster."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from leadbus_devstack.errors import DevstackError
from leadbus_devstack.ports import free_ports, listening
from leadbus_devstack.processes import GuardedProcess
from leadbus_devstack.rabbitmq import NativeRabbitMQ, RabbitMQPrograms

SIZE = 3
PartitionHandling = Literal["ignore", "pause_minority"]
_EPMD_SECONDS = 10.0
_REJOIN_SECONDS = 330.0
"""One that was killed with others waits for whoever may know more: ten times half a minute, and the boot."""


class RabbitMQCluster:
    """`nodes` may be killed, frozen and started again one by one; epmd outlives them all.

    `partition_handling` is what a node does that sees no majority: go on and let publishers wait for their
    confirms (`ignore`), or end every connection until it sees one (`pause_minority`).
    """

    def __init__(
        self, programs: RabbitMQPrograms, directory: Path, *, partition_handling: PartitionHandling
    ) -> None:
        epmd = shutil.which("epmd")
        if epmd is None:
            raise DevstackError("epmd is not installed; it comes with Erlang")
        (self._epmd_port,) = free_ports(1)
        # Of its own: started by a node, it would die with that node, and the others could not be asked.
        self._epmd = GuardedProcess(
            "epmd",
            [epmd, "-port", str(self._epmd_port), "-address", "127.0.0.1"],
            directory / "epmd.log",
            {"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
            grace_seconds=1,
        )
        self._programs = programs
        self._directory = directory
        self._cookie = secrets.token_hex(20)
        self._partition_handling = partition_handling
        self.nodes = [self._node(number) for number in range(1, SIZE + 1)]

    def _node(self, number: int) -> NativeRabbitMQ:
        configuration: dict[str, str] = {"cluster_partition_handling": self._partition_handling}
        if number > 1:
            # The first node is there when the others look for it.
            configuration |= {
                "cluster_formation.peer_discovery_backend": "classic_config",
                "cluster_formation.classic_config.nodes.1": "leadbus-1@localhost",
            }
        return NativeRabbitMQ(
            self._programs,
            self._directory / f"node-{number}",
            self._directory / f"node-{number}.log",
            node=f"leadbus-{number}",
            cookie=self._cookie,
            epmd_port=self._epmd_port,
            configuration=configuration,
        )

    def start(self) -> None:
        """Returns when all nodes are up and know of each other (about 20 s)."""
        self._epmd.start()
        self._epmd.wait_until(lambda: listening(self._epmd_port), timeout_seconds=_EPMD_SECONDS)
        self.nodes[0].start()
        self.start_nodes(self.nodes[1:])
        running = self.running()
        if len(running) != SIZE:
            raise DevstackError(f"the nodes are no cluster: {running}")

    def start_nodes(self, nodes: Sequence[NativeRabbitMQ]) -> None:
        """Start nodes, or start them again, side by side: some wait for others before they answer."""
        with ThreadPoolExecutor(len(nodes)) as pool:
            for started in [pool.submit(node.start, within_seconds=_REJOIN_SECONDS) for node in nodes]:
                started.result()

    def add_node(self) -> NativeRabbitMQ:
        """A further node that joins and holds nothing yet; node 1 has to live."""
        self.nodes.append(self._node(len(self.nodes) + 1))
        self.nodes[-1].start()
        return self.nodes[-1]

    def kill(self, *nodes: NativeRabbitMQ) -> None:
        """kill -9 of nodes, one right after the other."""
        for node in nodes:
            node.settle()
        for node in nodes:
            node.process.kill()

    def running(self) -> list[str]:
        """Names of the nodes that run, as a living one sees it."""
        status = json.loads(self.living().ctl("--formatter", "json", "cluster_status"))
        return sorted(status["running_nodes"])

    def living(self) -> NativeRabbitMQ:
        """A node that runs."""
        return next(node for node in self.nodes if node.process.running)

    def queues(self, vhost: str) -> list[dict[str, Any]]:
        """`name`, `leader`, `members` and `online` members of each queue."""
        said = self.living().ctl(
            *("-q", "--formatter", "json", "list_queues", "-p", vhost),
            *("name", "leader", "members", "online", "messages"),
        )
        return list(json.loads(said))

    def stop(self) -> None:
        """Kill everything: what is there is for a test, and goes with it."""
        for node in self.nodes:
            if node.started:
                node.process.kill()
        self._epmd.kill()
