"""Making the broker what the declaration says, and making sure that it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import aiormq
from aiormq.abc import AbstractChannel
from aiormq.exceptions import AMQPError
from yarl import URL

from leadbus.topology.comparing import missing, not_in_effect, other_kinds, surplus_bindings
from leadbus.topology.credentials import CredentialsError
from leadbus.topology.declaration import TOPOLOGY, Policy, Topology
from leadbus.topology.granting import Granting, Users, UsersError, differences, surplus
from leadbus.topology.management import Management, ManagementError

PROPAGATION_SECONDS = 15.0
"""How long policies may take to reach the queues; the broker applies them after it has answered."""
_POLL_SECONDS = 0.2
_AMQP_SECONDS = 30.0


class TopologyError(Exception):
    """The broker is not, and could not be made, what is declared. Says what differs and what to do."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What is on the broker now.

    `surplus` names bindings of our queues, and users and rights, that are not declared; `changes` says what
    was done to users that were not as declared.
    """

    exchanges: int
    queues: int
    bindings: int
    policies: int
    surplus: tuple[str, ...] = ()
    users: int = 0
    changes: tuple[str, ...] = ()


async def apply(
    amqp_url: str, management_url: str, topology: Topology = TOPOLOGY, *, users: Users | None = None
) -> Applied:
    """Declare everything in the virtual host of `amqp_url`, and read it back. Applying twice changes nothing.

    Without `users` those are left alone. Needs a user that may configure and read everything there and set
    policies; for `users` an administrator. Raises TopologyError; when users cannot be made as asked, before
    anything was changed.
    """
    vhost = vhost_of(amqp_url)
    try:
        async with Management(management_url, vhost) as management:
            exchanges, queues = await management.exchanges(), await management.queues()
            if trouble := other_kinds(topology, exchanges, queues, vhost):
                raise TopologyError("; ".join(map(str, trouble)))
            granting = await Granting.planned(management, users) if users else None
            if granting:
                await granting.withhold(management)
            # Before the queues, so that no queue lives a moment without its limits.
            for policy in topology.policies:
                await management.set_policy(policy.name, _policy_body(policy))
            async with asyncio.timeout(_AMQP_SECONDS):
                await _declare(amqp_url, topology)
            await _wait_until_effective(management, topology)
            applied = Applied(
                exchanges=len(topology.exchanges),
                queues=len(topology.queues),
                bindings=len(topology.bindings),
                policies=len(topology.policies),
                surplus=surplus_bindings(topology, await management.bindings()),
            )
            return await _grant(management, granting, applied, amqp_url) if granting else applied
    except ManagementError as error:
        raise TopologyError(f"the management API did not do it: {error}") from error
    except (UsersError, CredentialsError) as error:
        raise TopologyError(str(error)) from error
    except (AMQPError, OSError) as error:
        raise TopologyError(f"the broker did not do it: {type(error).__name__}: {error}") from error


async def _grant(management: Management, granting: Granting, applied: Applied, amqp_url: str) -> Applied:
    """Raises TopologyError when the broker's users are still not as declared afterwards."""
    changes = await granting.grant(management)
    if left := await differences(management, granting.users):
        raise TopologyError(
            "rights are not as declared although they were set; does something else set them, or another"
            f" authentication backend? {'; '.join(left)}"
        )
    administrators = {URL(amqp_url).user or "guest", str((await management.whoami()).get("name"))}
    return replace(
        applied,
        users=len(granting.declared.rights),
        changes=changes,
        surplus=applied.surplus + await surplus(management, granting.users, administrators),
    )


def vhost_of(amqp_url: str) -> str:
    """The virtual host that an AMQP address names. Raises TopologyError for what is no address."""
    try:
        path = URL(amqp_url).path
    except ValueError:
        # Without the error: it may quote the address, and that holds a password.
        raise TopologyError("the AMQP address cannot be read") from None
    return "/" if path in ("", "/") else path[1:]


def _policy_body(policy: Policy) -> dict[str, Any]:
    return {
        "pattern": policy.pattern,
        "apply-to": policy.apply_to,
        "definition": dict(policy.definition),
        "priority": 0,
    }


async def _declare(amqp_url: str, topology: Topology) -> None:
    async with aiormq.connect(amqp_url) as connection:
        channel: AbstractChannel = await connection.channel()
        for exchange in topology.exchanges:
            await channel.exchange_declare(exchange.name, exchange_type=exchange.kind, durable=True)
        for queue in topology.queues:
            await channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
        for binding in topology.bindings:
            await channel.queue_bind(binding.queue, binding.exchange, binding.routing_key)


async def _wait_until_effective(management: Management, topology: Topology) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PROPAGATION_SECONDS
    overridden = await management.has_operator_policies()
    while True:
        exchanges, queues = await management.exchanges(), await management.queues()
        left = [
            *missing(topology, exchanges, queues, await management.bindings()),
            *not_in_effect(topology, exchanges, queues, overridden=overridden),
        ]
        if not left:
            return
        if loop.time() > deadline:
            raise TopologyError("; ".join(map(str, left)))
        await asyncio.sleep(_POLL_SECONDS)
