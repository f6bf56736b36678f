"""A system on a RabbitMQ of three nodes, behind one address as a Service of Kubernetes is."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from leadbus_devstack import rabbitmq
from leadbus_devstack import stack as stacks
from leadbus_devstack.balancer import Balancer
from leadbus_devstack.data import scratch_directory
from leadbus_devstack.private_servers import private_postgres
from leadbus_devstack.pytest_plugin import private
from leadbus_devstack.rabbitmq_cluster import PartitionHandling, RabbitMQCluster
from leadbus_devstack.servers import Servers
from leadbus_devstack.stack import Stack

from tests.guarantees.conftest import SETTINGS
from tests.guarantees.fates import REFUSAL, REFUSED_ADDRESS
from tests.guarantees.set_up import set_up
from tests.guarantees.system import System


@dataclass(frozen=True, slots=True)
class Clustered:
    """Queues were declared at node 1, which leads them all; every client is on node 2.

    `address` is the one that clients know: a new connection goes to node 2 or, when that does not accept it,
    to another.
    """

    system: System
    cluster: RabbitMQCluster
    address: Balancer

    def leaders(self) -> set[str]:
        """Nodes that lead a queue."""
        return {str(queue["leader"]) for queue in self.cluster.queues(self.system.stack.vhost.name)}

    def members(self) -> set[int]:
        """Over how many nodes the queues spread."""
        return {len(queue["members"]) for queue in self.cluster.queues(self.system.stack.vhost.name)}

    def everywhere_online(self) -> object:
        """True when every member of every queue is there again, else the queues where one is missing."""
        queues = self.cluster.queues(self.system.stack.vhost.name)
        return {
            queue["name"]: queue["online"] for queue in queues if len(queue["online"]) < len(queue["members"])
        } or True


@pytest.fixture(params=["ignore", "pause_minority"])
def partition_handling(request: pytest.FixtureRequest) -> PartitionHandling:
    """Only for tests in which the majority is lost."""
    handling: PartitionHandling = request.param
    return handling


@pytest.fixture
def clustered(partition_handling: PartitionHandling, tmp_path: Path) -> Iterator[Clustered]:
    programs = rabbitmq.find_programs()
    if programs is None:
        pytest.skip("a cluster needs RabbitMQ's native programs")
    with contextlib.ExitStack() as parts:
        directory = scratch_directory("cluster")
        parts.callback(shutil.rmtree, directory, ignore_errors=True)
        cluster = RabbitMQCluster(programs, directory, partition_handling=partition_handling)
        parts.callback(cluster.stop)
        cluster.start()
        postgres = parts.enter_context(private(private_postgres()))
        service = Balancer([node.amqp_port for node in cluster.nodes])
        service.start()
        parts.callback(service.stop)
        servers = Servers(
            f"amqp://guest:guest@127.0.0.1:{service.port}",
            cluster.nodes[1].management_url,
            postgres.url,
            "a cluster of three, to be broken",
        )
        stacks.migrate(servers.postgres_url)
        stack = Stack(servers, tmp_path / "logs", tmp_path / "mail", settings=SETTINGS)
        # Whoever declares a queue decides by its connection which node leads it.
        stack.apply_topology()
        service.prefer(cluster.nodes[1].amqp_port)
        parts.callback(stack.stop)
        stack.start_services()
        set_up(stack)
        stack.smtp.control(rcpt={REFUSED_ADDRESS: REFUSAL})
        yield Clustered(System(stack, cluster.nodes[1], postgres, run=secrets.token_hex(4)), cluster, service)
