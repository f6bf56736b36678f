"""What a broker has, compared with what is declared. Pure.

`exchanges` and `queues` by name and `bindings` as the management API shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from leadbus.topology.declaration import Binding, Policy, Topology

Found = Mapping[str, Mapping[str, Any]]
_APPLY = "`leadbus topology apply`"


@dataclass(frozen=True, slots=True)
class Difference:
    """One line on what is found, and one on what a person does about it."""

    found: str
    do: str = _APPLY

    def __str__(self) -> str:
        return f"{self.found}: {self.do}"


def other_kinds(topology: Topology, exchanges: Found, queues: Found, vhost: str) -> list[Difference]:
    """What exists as another kind: it cannot be changed, only deleted."""
    said = [
        Difference(
            f"exchange {exchange.name} exists with type {exchanges[exchange.name]['type']},"
            f" {exchange.kind} is declared",
            f"delete it in virtual host {vhost!r} when nobody publishes to it, and apply again",
        )
        for exchange in topology.exchanges
        if exchange.name in exchanges and exchanges[exchange.name]["type"] != exchange.kind
    ]
    for queue in topology.queues:
        found = queues.get(queue.name)
        if found and found["arguments"] != queue.arguments:
            said.append(
                Difference(
                    f"queue {queue.name} exists with type {found.get('type', 'unknown')} and arguments"
                    f" {found['arguments']}, {queue.arguments} are declared",
                    f"stop its consumers, move its {found.get('messages', 0)} messages elsewhere (shovel),"
                    f" delete it (rabbitmqctl -p '{vhost}' delete_queue {queue.name}), and apply again",
                )
            )
    return said


def missing(
    topology: Topology, exchanges: Found, queues: Found, bindings: Iterable[Mapping[str, Any]]
) -> list[Difference]:
    """Declared exchanges, queues and bindings that are not there."""
    bound = {(found["source"], found["destination"], found["routing_key"]) for found in bindings}
    said = [f"exchange {it.name}" for it in topology.exchanges if it.name not in exchanges]
    said += [f"queue {it.name}" for it in topology.queues if it.name not in queues]
    said += [
        f"binding {_written(binding)}"
        for binding in topology.bindings
        if (binding.exchange, binding.queue, binding.routing_key) not in bound
        and binding.exchange in exchanges
        and binding.queue in queues
    ]
    return [Difference(f"{what} is not there") for what in said]


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


def not_in_effect(
    topology: Topology, exchanges: Found, queues: Found, *, overridden: bool
) -> list[Difference]:
    """Policies that are not what is in effect where they should be. `overridden`: by operator policies."""
    differences = []
    for policy in topology.policies:
        found = (exchanges if policy.apply_to == "exchanges" else queues).get(policy.target)
        if found is not None and (difference := _difference(policy, found, overridden=overridden)):
            differences.append(difference)
    return differences


def _difference(policy: Policy, found: Mapping[str, Any], *, overridden: bool) -> Difference | None:
    if not found.get("policy"):
        return Difference(f"no policy is in effect on {policy.target}, {policy.name!r} is declared")
    if found["policy"] != policy.name:
        return Difference(
            f"policy {found['policy']!r} is in effect on {policy.target} instead of {policy.name!r}",
            "clear it, or give it a negative priority",
        )
    if policy.apply_to == "exchanges":
        return None
    effective = found.get("effective_policy_definition")
    if effective is None and not overridden:
        return None  # the policy is in effect, and without operator policies it is all that is
    if effective != dict(policy.definition):
        return Difference(
            f"on {policy.target} {effective} is in effect, {dict(policy.definition)} is declared",
            f"see operator policy {found.get('operator_policy')!r}",
        )
    return None


def _written(binding: Binding) -> str:
    return f"{binding.exchange} -> {binding.queue} key {binding.routing_key!r}"
