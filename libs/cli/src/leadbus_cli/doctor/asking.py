"""Asks services and broker, all at once, each question with its own time limit."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx2
from leadbus.topology import TOPOLOGY, TopologyError, vhost_of
from leadbus.topology.accounts import Accounts
from leadbus.topology.looking import LookError, look
from leadbus.topology.management import Management, ManagementError
from leadbus.web.problems import Problem
from leadbus.web.tokens import StaticKey, TokenVerifier
from pydantic import SecretStr
from yarl import URL

from leadbus_cli.deployment import Deployment, is_sink
from leadbus_cli.doctor.seen import (
    Answer,
    BrokerSeen,
    ClusterSeen,
    Seen,
    ServiceSeen,
    TokenSeen,
    TopologySeen,
    Trouble,
)

T = TypeVar("T")
_PAGE = 500
_ERRORS = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    ManagementError,
    TopologyError,
    LookError,
    ValueError,
    KeyError,
    TypeError,
)


class _RefusedError(Exception):
    """A service answered no."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(f"{status} {title}".strip())
        self.status = status


async def ask(deployment: Deployment, *, timeout_seconds: float, with_users: bool = True) -> Seen:
    """Never raises for what is broken in the deployment: that is what it is for."""
    headers = {"Authorization": f"Bearer {deployment.token}"} if deployment.token else {}
    async with httpx2.AsyncClient(headers=headers, timeout=timeout_seconds) as client:
        token, broker, services = await asyncio.gather(
            _token(deployment),
            _broker(deployment, timeout_seconds, with_users=with_users),
            asyncio.gather(
                *(_service(client, name, url, timeout_seconds) for name, url in deployment.services.items())
            ),
        )
    return Seen(datetime.now(UTC), token, broker, services)


async def _within(seconds: float, work: Awaitable[T]) -> T | Trouble:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        return Trouble(f"no answer within {seconds:g} s")
    except _RefusedError as error:
        return Trouble(str(error), error.status)
    except ManagementError as error:
        return Trouble(str(error), error.status)
    except _ERRORS as error:
        return Trouble(str(error) if isinstance(error, LookError | TopologyError) else type(error).__name__)


async def _service(client: httpx2.AsyncClient, name: str, url: str, seconds: float) -> ServiceSeen:
    address = url.rstrip("/")
    diagnosis, ready, destinations = await asyncio.gather(
        _within(seconds, _get(client, f"{address}/v1/diagnosis")),
        _within(seconds, _get(client, f"{address}/readyz", even=(503,))),
        _within(seconds, _destinations(client, f"{address}/v1/destinations"))
        if is_sink(name)
        else _nothing(),
    )
    return ServiceSeen(
        name,
        url,
        diagnosis,
        ready if isinstance(ready, Trouble) else ready.document,
        destinations,
    )


async def _nothing() -> None:
    return None


async def _destinations(client: httpx2.AsyncClient, address: str) -> Sequence[Mapping[str, Any]] | Trouble:
    """All of them: the one that needs a person may be the last."""
    found: list[Mapping[str, Any]] = []
    query = {"limit": str(_PAGE)}
    while True:
        page = (await _get(client, address, query)).document
        if not isinstance(page.get("items"), list):
            return Trouble("the answer is no list")
        found += page["items"]
        if page.get("next_cursor") is None:
            return found
        query["cursor"] = str(page["next_cursor"])


async def _get(
    client: httpx2.AsyncClient,
    address: str,
    query: Mapping[str, str] | None = None,
    even: tuple[int, ...] = (),
) -> Answer:
    sent_at = datetime.now(UTC)
    response = await client.get(address, params=query)
    received_at = datetime.now(UTC)
    document = _document(response)
    if not response.is_success and response.status_code not in even:
        raise _RefusedError(response.status_code, str((document or {}).get("title", "")))
    if document is None:
        raise _RefusedError(response.status_code, "but no JSON")
    return Answer(document, sent_at, received_at)


def _document(response: httpx2.Response) -> Mapping[str, Any] | None:
    try:
        document = response.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


async def _broker(deployment: Deployment, seconds: float, *, with_users: bool) -> BrokerSeen | None:
    if not deployment.amqp_url or not deployment.management_url:
        return None
    try:
        vhost = vhost_of(deployment.amqp_url)
        user = URL(deployment.amqp_url).user or "guest"
        management = Management(deployment.management_url, vhost, timeout_seconds=seconds)
    except (TopologyError, ManagementError) as error:
        trouble = Trouble(str(error))
        return BrokerSeen("", "", deployment.user_prefix, trouble, trouble, trouble, None)
    names = [queue.name for queue in TOPOLOGY.queues]
    async with management:
        amqp, cluster, topology, accounts = await asyncio.gather(
            _within(seconds, look(deployment.amqp_url, names)),
            _within(seconds, _cluster(management)),
            _within(seconds, _topology(management)),
            _within(seconds, Accounts.of(management)) if with_users else _nothing(),
        )
    return BrokerSeen(vhost, user, deployment.user_prefix, amqp, cluster, topology, accounts)


async def _cluster(management: Management) -> ClusterSeen:
    overview, asking = await management.overview(), await management.whoami()
    return ClusterSeen(
        str(overview.get("rabbitmq_version", "")), str(asking.get("name")), await management.nodes()
    )


async def _topology(management: Management) -> TopologySeen:
    return TopologySeen(
        await management.exchanges(),
        await management.queues(),
        await management.bindings(),
        await management.has_operator_policies(),
    )


async def _token(deployment: Deployment) -> TokenSeen | None:
    if not deployment.token:
        return None
    return TokenSeen(_claims(deployment.token), await _verified(deployment.token, deployment.token_key))


def _claims(token: str) -> Mapping[str, Any] | None:
    """What a token says of itself; whether it is true the services say."""
    try:
        encoded = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (IndexError, ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


async def _verified(token: str, key: str | None) -> bool | None:
    if key is None:
        return None
    try:
        # At the beginning of time, so that only the signature counts: the rules look at the times.
        await TokenVerifier(StaticKey(SecretStr(key)), now=lambda: 0.0).verify(token)
    except Problem as problem:
        return "signature" not in getattr(problem, "__notes__", ())
    except ValueError:
        return None
    return True
