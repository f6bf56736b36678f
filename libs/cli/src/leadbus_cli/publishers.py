"""Publishers: a broker user and an API key that come and go together.

The key knows its publisher by its label, which a rotation keeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from leadbus.contracts import SOURCES
from leadbus.topology import TopologyError, vhost_of
from leadbus.topology.accounts import drift
from leadbus.topology.credentials import generated
from leadbus.topology.granting import UsersError
from leadbus.topology.management import Management, ManagementError
from leadbus.topology.publishers import PublisherError, PublisherUsers
from yarl import URL

from leadbus_cli.api import ApiProblem, ServiceApi
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError

_MOST_KEYS = 100_000


@dataclass(frozen=True, slots=True)
class Added:
    """What a new publisher needs, secrets included; `key` is ingest's answer, None without one."""

    name: str
    user: str
    source: str
    account: str
    amqp_url: str
    key: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A publisher as it is: ids of its active keys, open connections, and what is wrong with its rights."""

    name: str
    user: str
    source: str | None
    keys: list[str]
    connections: int
    wrong: list[str]


class Publishers:
    """The publishers of a deployment. Every method raises CliError and leaves nothing half-done."""

    def __init__(self, deployment: Deployment) -> None:
        self._amqp_url, self._management_url = deployment.broker()
        self._prefix = deployment.user_prefix
        self._deployment = deployment

    async def add(self, name: str, source: str, account: str, label: str, *, with_key: bool = True) -> Added:
        """The user can log in only when everything else is there."""
        if source not in SOURCES:
            raise CliError(f"there is no source {source}: {', '.join(SOURCES)}")
        if with_key:
            self._ingest()  # Where it is has to be known before anything is made.
        password = generated()
        async with self._users() as users:
            user, key, keyed = await users.free(name), None, False
            try:
                await users.prepare(user, source)
                if keyed := with_key:
                    key = await self._make_key(name, source, account, label)
                await users.enable(user, source, password)
            except BaseException as error:
                keyed = keyed and not _certainly_refused(error)
                raise CliError(
                    *_reasons(error), *await self._undone(users, name, user, source, keyed=keyed)
                ) from error
        url = URL(self._amqp_url).with_user(user).with_password(password)
        return Added(name, user, source, account, str(url), key)

    async def all(self) -> list[Listed]:
        async with self._users() as users:
            accounts = await users.accounts()
            found = accounts.publishers(self._prefix)
            return [
                Listed(
                    publisher.name,
                    user,
                    publisher.source,
                    [key["key_id"] for key in await self._keys(publisher.name, publisher.source)],
                    await users.management.connections_of(user),
                    drift(accounts, user, publisher.rights)
                    if publisher.source
                    else [f"user {user} has lost the tag that names its source"],
                )
                for user, publisher in sorted(found.items())
            ]

    async def remove(self, name: str) -> tuple[str, list[str]]:
        """The removed user and the ids of the revoked keys. Completes what was cut short.

        The user goes first: it needs nothing but the broker, and it alone can publish without asking ingest.
        """
        async with self._users() as users:
            try:
                found = await users.find(name)
            except PublisherError as none:
                return "", await self._keys_left(name, none)
            await users.remove(found.user)
        try:
            return found.user, await self._revoke(name, found.source)
        except CliError as error:
            raise CliError(
                f"user {found.user} removed, its connections ended",
                *error.lines,
                f"its keys may still be valid: run `leadbus publisher remove {name}` again",
            ) from None

    async def _keys_left(self, name: str, none: PublisherError) -> list[str]:
        """Revokes the keys of a publisher without a user. Raises CliError when there are none either."""
        try:
            keys = await self._revoke(name, None)
        except CliError as error:
            raise CliError(
                str(none),
                *error.lines,
                f"whether keys are left is not known: run `leadbus publisher remove {name}` again",
            ) from None
        if not keys:
            raise CliError(str(none))
        return keys

    def _ingest(self) -> ServiceApi:
        return self._deployment.service("ingest")

    @asynccontextmanager
    async def _users(self) -> AsyncIterator[PublisherUsers]:
        try:
            async with Management(self._management_url, vhost_of(self._amqp_url)) as management:
                yield PublisherUsers(management, self._prefix)
        except (PublisherError, UsersError, ManagementError, TopologyError) as error:
            raise CliError(*_reasons(error)) from None

    async def _make_key(self, name: str, source: str, account: str, label: str) -> dict[str, Any]:
        body = {"account": account, "label": f"{_mark(name)}: {label}" if label else _mark(name)}
        made: dict[str, Any] = await asyncio.to_thread(
            self._ingest().post, "v1", "sources", source, "keys", body=body
        )
        return made

    async def _undone(
        self, users: PublisherUsers, name: str, user: str, source: str, *, keyed: bool
    ) -> list[str]:
        """Take back what was made, and say so, or what is left of it."""
        said = []
        try:
            await users.remove(user)
            said.append(f"user {user} was removed again")
        except ManagementError as error:
            said.append(
                f"user {user} could not be removed again ({error}): run `leadbus publisher remove {name}`"
            )
        try:
            # The answer to making a key may be lost although it was made.
            if keyed and (keys := await self._revoke(name, source)):
                said.append(f"key {', '.join(keys)} was revoked again")
        except CliError:
            said.append(f"whether a key was made is not known: run `leadbus publisher remove {name}`")
        return said

    async def _revoke(self, name: str, source: str | None) -> list[str]:
        revoked = []
        for key in await self._keys(name, source):
            await asyncio.to_thread(
                self._ingest().post, "v1", "sources", key["source"], "keys", key["key_id"], "revoke"
            )
            revoked.append(str(key["key_id"]))
        return revoked

    async def _keys(self, name: str, source: str | None) -> list[dict[str, Any]]:
        """Active keys of a publisher; of any source when its own is not known."""
        sources = SOURCES if source is None else (source,)
        return [
            key
            for each in sources
            for key in await asyncio.to_thread(_keys_of, self._ingest(), each)
            if key["state"] == "active" and _is_marked(str(key["label"]), name)
        ]


def _keys_of(ingest: ServiceApi, source: str) -> list[dict[str, Any]]:
    try:
        return list(ingest.items("v1", "sources", source, "keys", limit=_MOST_KEYS))
    except ApiProblem as problem:
        if problem.status == httpx2.codes.NOT_FOUND:
            return []  # a source that has no door over HTTP has no keys
        raise


def _certainly_refused(error: BaseException) -> bool:
    return isinstance(error, ApiProblem) and error.status < httpx2.codes.INTERNAL_SERVER_ERROR


def _mark(name: str) -> str:
    return f"publisher {name}"


def _is_marked(label: str, name: str) -> bool:
    return label == _mark(name) or label.startswith(f"{_mark(name)}: ")


def _reasons(error: BaseException) -> tuple[str, ...]:
    if isinstance(error, CliError | UsersError):
        return error.lines if isinstance(error, CliError) else error.reasons
    if isinstance(error, ManagementError):
        return (f"the broker's management API did not do it: {error}",)
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
        return ("interrupted",)
    return (str(error) or type(error).__name__,)
