"""What a broker has, compared with what is declared: a sentence for each difference. Pure.

`exchanges` and `queues` by name and `bindings` as the management API shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from leadbus.topology.declaration import Binding, Policy, Topology

Found = Mapping[str, Mapping[str, Any]]


def other_kinds(topology: Topology, exchanges: Found, queues: Found, vhost: str) -> list[str]:
    """What exists as another kind: it cannot be changed, only deleted."""
    said = [
        f"exchange {exchange.name} exists with type {exchanges[exchange.name]['type']},"
        f" {exchange.kind} is declared: delete it in virtual host {vhost!r} when nobody publishes to it,"
        " and apply again"
        for exchange in topology.exchanges
        if exchange.name in exchanges and exchanges[exchange.name]["type"] != exchange.kind
    ]
    for queue in topology.queues:
        found = queues.get(queue.name)
        if found and found["arguments"] != queue.arguments:
            said.append(
                f"queue {queue.name} exists with type {found.get('type', 'unknown')} and arguments"
                f" {found['arguments']}, {queue.arguments} are declared: stop its consumers, move its"
                f" {found.get('messages', 0)} messages elsewhere (shovel), delete it"
                f" (rabbitmqctl -p '{vhost}' delete_queue {queue.name}), and apply again"
            )
    return said


def missing(
    topology: Topology, exchanges: Found, queues: Found, bindings: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Declared exchanges, queues and bindings that are not there."""
    bound = {(found["source"], found["destination"], found["routing_key"]) for found in bindings}
    said = [f"exchange {it.name} is not there" for it in topology.exchanges if it.name not in exchanges]
    said += [f"queue {it.name} is not there" for it in topology.queues if it.name not in queues]
    said += [
        f"binding {_written(binding)} is not there"
        for binding in topology.bindings
        if (binding.exchange, binding.queue, binding.routing_key) not in bound
        and binding.exchange in exchanges
        and binding.queue in queues
    ]
    return said


def surplus_bindings(topology: Topology, bindings: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Bindings of our queues that are not declared."""
    declared = {(binding.exchange, binding.queue, binding.routing_key) for binding in topology.bindings}
    ours = {queue.name for queue in topology.queues}
    return tuple(
        _written(Binding(binding["source"], binding["destination"], binding["routing_key"]))
        for binding in bindings
        if binding["source"]  # every queue is bound to the default exchange, whose name is empty
        and binding["destination"] in ours
        and (binding["source"], binding["destination"], binding["routing_key"]) not in declared
    )


def not_in_effect(topology: Topology, exchanges: Found, queues: Found, *, overridden: bool) -> list[str]:
    """Policies that are not what is in effect. `overridden`: there are operator policies."""
    return [
        said
        for policy in topology.policies
        if (said := _difference(policy, exchanges, queues, overridden=overridden))
    ]


def _difference(policy: Policy, exchanges: Found, queues: Found, *, overridden: bool) -> str | None:
    found = (exchanges if policy.apply_to == "exchanges" else queues).get(policy.target)
    if found is None:
        return f"{policy.target} is not there"
    if not found.get("policy"):
        return f"no policy is in effect on {policy.target}, {policy.name!r} is declared"
    if found["policy"] != policy.name:
        return (
            f"policy {found['policy']!r} is in effect on {policy.target} instead of {policy.name!r}:"
            " clear it, or give it a negative priority"
        )
    if policy.apply_to == "exchanges":
        return None
    effective = found.get("effective_policy_definition")
    if effective is None and not overridden:
        return None  # the policy is in effect, and without operator policies it is all that is
    if effective != dict(policy.definition):
        return (
            f"on {policy.target} {effective} is in effect, {dict(policy.definition)} is declared:"
            f" see operator policy {found.get('operator_policy')!r}"
        )
    return None


def _written(binding: Binding) -> str:
    return f"{binding.exchange} -> {binding.queue} key {binding.routing_key!r}"
