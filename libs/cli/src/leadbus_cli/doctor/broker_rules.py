"""What is wrong with the broker: itself, what is on it, and who may do what. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from leadbus.topology import TOPOLOGY, UNROUTED
from leadbus.topology.accounts import Accounts, Declared, drift, elevated, surplus
from leadbus.topology.comparing import missing, not_in_effect, other_kinds, surplus_bindings

from leadbus_cli.deployment import variable_of
from leadbus_cli.doctor.findings import Finding, or_ok, warning, wrong
from leadbus_cli.doctor.seen import BrokerSeen, ClusterSeen, TopologySeen, Trouble

OLDEST_VERSION = (3, 10)
MEMBERS = 3
"""Nodes that a queue is to be on, where there are as many: one may be lost."""
_APPLY = "`leadbus topology apply`"
_USERS_RUNBOOK = "docs/runbooks/broker-users.md"
_REPLACED_RUNBOOK = "docs/runbooks/broker-node-replaced.md"


def judge_broker(broker: BrokerSeen | None, running: Collection[str]) -> list[Finding]:
    """`running`: the services of this deployment; an empty queue of any other needs no consumer."""
    if broker is None:
        return [
            wrong(
                "broker",
                "deployment",
                "nobody said where RabbitMQ is",
                "set LEADBUS_AMQP_URL and LEADBUS_MANAGEMENT_URL of a user that may configure it",
            )
        ]
    return [
        *or_ok(_cluster(broker), "broker", "RabbitMQ", _version(broker)),
        *or_ok(
            _topology(broker), "topology", broker.vhost, "exchanges, queues, bindings, policies as declared"
        ),
        *_users(broker),
        *or_ok(
            _queues(broker, running), "queues", broker.vhost, "consumed, nothing parked, nothing unrouted"
        ),
    ]


def _version(broker: BrokerSeen) -> str:
    if not isinstance(broker.amqp, Trouble):
        return broker.amqp.version
    return broker.cluster.version if isinstance(broker.cluster, ClusterSeen) else ""


def _cluster(broker: BrokerSeen) -> Iterator[Finding]:
    if isinstance(broker.amqp, Trouble):
        yield wrong("broker", "LEADBUS_AMQP_URL", f"no connection: {broker.amqp.why}", _away(broker.amqp))
    if isinstance(broker.cluster, Trouble):
        yield wrong(
            "broker",
            "LEADBUS_MANAGEMENT_URL",
            f"the management API says: {broker.cluster.why}",
            _away(broker.cluster),
        )
        return
    for node in broker.cluster.nodes:
        yield from _node(node)


def _away(trouble: Trouble) -> str:
    if trouble.status == 401 or "ACCESS_REFUSED" in trouble.why:
        return "correct user and password in it"
    return "does RabbitMQ run? docs/runbooks/broker-or-database-away.md"


def _node(node: object) -> Iterator[Finding]:
    assert isinstance(node, dict)
    name = str(node.get("name"))
    if not node.get("running"):
        yield wrong(
            "node", name, "it does not run", "start it: with a minority gone queues go on, yet unprotected"
        )
        return
    if node.get("mem_alarm"):
        yield wrong("alarm", name, "memory alarm: nobody may publish", "free memory, or raise the watermark")
    if node.get("disk_free_alarm"):
        yield wrong("alarm", name, "disk alarm: nobody may publish", "free disk space")
    if node.get("partitions"):
        yield wrong("node", name, f"it is cut off from {', '.join(node['partitions'])}", "mend the network")


def _topology(broker: BrokerSeen) -> Iterator[Finding]:
    old = re.match(r"(\d+)\.(\d+)", _version(broker))
    if old and (int(old[1]), int(old[2])) < OLDEST_VERSION:
        yield wrong("broker", "RabbitMQ", f"{_version(broker)} is too old", "3.10 or later")
    seen = broker.topology
    if isinstance(seen, Trouble):
        yield wrong("topology", broker.vhost, f"it cannot be seen: {seen.why}", _away(seen))
        return
    yield from _declared(broker, seen)


def _declared(broker: BrokerSeen, seen: TopologySeen) -> Iterator[Finding]:
    for differs in other_kinds(TOPOLOGY, seen.exchanges, seen.queues, broker.vhost):
        yield wrong("topology", broker.vhost, differs.found, differs.do)
    for differs in missing(TOPOLOGY, seen.exchanges, seen.queues, seen.bindings):
        yield wrong("topology", broker.vhost, differs.found, differs.do)
    for differs in not_in_effect(TOPOLOGY, seen.exchanges, seen.queues, overridden=seen.overridden):
        yield wrong("policy", broker.vhost, differs.found, differs.do)
    if isinstance(broker.cluster, ClusterSeen):
        declared = {queue.name: seen.queues.get(queue.name, {}) for queue in TOPOLOGY.queues}
        yield from _spread(broker.cluster.nodes, declared)
    for said in surplus_bindings(TOPOLOGY, seen.bindings):
        yield warning(
            "binding",
            broker.vhost,
            f"{said} is not declared",
            "remove it in the management page if nobody needs it: what it brings is consumed too",
        )


def _spread(nodes: Collection[object], queues: Mapping[str, Mapping[str, object]]) -> Iterator[Finding]:
    """Queues on fewer nodes than they could be: they stand fewer losses than everybody believes."""
    names = {str(node["name"]) for node in nodes if isinstance(node, dict)}
    for name, queue in queues.items():
        members = queue.get("members")
        if not isinstance(members, list):
            continue
        here = names.intersection(members)
        if gone := sorted(set(members) - names):
            yield wrong(
                "queues", name, f"it counts on {', '.join(gone)}, no node any more", _REPLACED_RUNBOOK
            )
        elif len(here) < min(len(names), MEMBERS):
            found = f"it is on {len(here)} of {len(names)} nodes"
            yield wrong("queues", name, found, f"`rabbitmq-queues grow`, see {_REPLACED_RUNBOOK}")


def _users(broker: BrokerSeen) -> list[Finding]:
    accounts = broker.accounts
    if accounts is None:
        return []
    if isinstance(accounts, Trouble):
        do = (
            "a user with the tag administrator in LEADBUS_MANAGEMENT_URL, or --no-users"
            if accounts.status == 401
            else _away(accounts)
        )
        return [wrong("users", broker.vhost, f"users and rights cannot be seen: {accounts.why}", do)]
    return or_ok(_rights(broker, accounts), "users", broker.vhost, "users and rights as declared")


def _rights(broker: BrokerSeen, accounts: Accounts) -> Iterator[Finding]:
    declared = Declared.on(accounts, broker.prefix)
    for user, rights in declared.rights.items():
        publisher = declared.publishers.get(user)
        if publisher and publisher.source is None:
            yield wrong(
                "users",
                user,
                "it has lost the tag that names its source",
                f"`leadbus publisher remove {publisher.name}`, and add it again",
            )
            continue
        for said in drift(accounts, user, rights):
            yield wrong("users", user, said, f"{_APPLY}, see {_USERS_RUNBOOK}")
    for said in elevated(accounts, declared):
        yield wrong("users", broker.vhost, said, f"{_APPLY}, see {_USERS_RUNBOOK}")
    known = {broker.amqp_user}
    if isinstance(broker.cluster, ClusterSeen):
        known.add(broker.cluster.asking)
    for said in surplus(accounts, declared, known):
        yield warning("users", broker.vhost, f"not declared: {said}", _USERS_RUNBOOK)


def _queues(broker: BrokerSeen, running: Collection[str]) -> Iterator[Finding]:
    if isinstance(broker.amqp, Trouble):
        yield warning("queues", broker.vhost, "they cannot be counted without a connection", "see above")
        return
    depths = broker.amqp.depths
    for policy in TOPOLOGY.policies:
        depth = depths.get(policy.target)
        if policy.apply_to != "queues" or depth is None:
            continue
        if policy.target == UNROUTED or policy.target.endswith(".parked"):
            if depth.messages:
                yield _held(policy.target, depth.messages)
        elif not depth.consumers:
            yield from _unconsumed(policy.target, depth.messages, running)


def _unconsumed(queue: str, messages: int, running: Collection[str]) -> Iterator[Finding]:
    found = f"nobody consumes it, {messages} messages wait"
    service = queue.partition(".")[0]
    if service in running:
        do = "does its service run, and may it read? docs/runbooks/broker-or-database-away.md"
        yield wrong("queues", queue, found, do)
    elif messages:
        # Nobody told us where its service is: it need not run here, yet then nothing ought to wait for it.
        yield warning(
            "queues", queue, found, f"start {service}, and say where it is in {variable_of(service)}"
        )


def _held(queue: str, messages: int) -> Finding:
    if queue == UNROUTED:
        found, do = f"{messages} messages that no queue took", "`leadbus unrouted list`"
    else:
        found, do = f"{messages} messages on which the pipeline broke", f"`leadbus parked list {queue}`"
    return warning("queues", queue, found, do)
