"""The topology as text: for people, and as definitions that a broker can load."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leadbus.topology.declaration import TOPOLOGY, Topology
from leadbus.topology.users import USERS, User


def show(topology: Topology = TOPOLOGY, users: Iterable[User] = USERS) -> str:
    """The whole topology, a line for each thing, as `leadbus topology show` prints it."""
    lines = [f"exchange {exchange.name} ({exchange.kind})" for exchange in topology.exchanges]
    for queue in topology.queues:
        lines.append(f"queue {queue.name}")
        lines += [
            f"  from {binding.exchange} key {binding.routing_key or '(any)'}"
            for binding in topology.bindings
            if binding.queue == queue.name
        ]
    for policy in topology.policies:
        settings = ", ".join(f"{key}={value}" for key, value in policy.definition.items())
        lines.append(f"policy on {policy.target}: {settings}")
    for user in users:
        lines.append(f"user {user.name}")
        lines += [
            f"  writes {exchange}" + "".join(f"\n    key {key}" for key in user.rights.keys.get(exchange, ()))
            for exchange in user.rights.write
        ]
        lines += [f"  reads {queue}" for queue in user.rights.read]
    return "\n".join(lines)


def definitions(vhost: str, topology: Topology = TOPOLOGY) -> dict[str, Any]:
    """What `rabbitmqctl import_definitions`, the management API and `definitions.import_backend` load.

    Without users: a broker imports their topic permissions before it has the exchanges, and what it then
    cannot keep leaves a user that may use every routing key. `leadbus topology apply` makes them in order.
    """
    return {
        "vhosts": [{"name": vhost}],
        "policies": [
            {
                "vhost": vhost,
                "name": policy.name,
                "pattern": policy.pattern,
                "apply-to": policy.apply_to,
                "definition": dict(policy.definition),
                "priority": 0,
            }
            for policy in topology.policies
        ],
        "exchanges": [
            {
                "vhost": vhost,
                "name": exchange.name,
                "type": exchange.kind,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
            for exchange in topology.exchanges
        ],
        "queues": [
            {
                "vhost": vhost,
                "name": queue.name,
                "durable": True,
                "auto_delete": False,
                "arguments": queue.arguments,
            }
            for queue in topology.queues
        ],
        "bindings": [
            {
                "vhost": vhost,
                "source": binding.exchange,
                "destination": binding.queue,
                "destination_type": "queue",
                "routing_key": binding.routing_key,
                "arguments": {},
            }
            for binding in topology.bindings
        ],
    }
