"""Users as a broker has them, and how they differ from what is declared. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from leadbus.topology.management import Management
from leadbus.topology.users import NO_RIGHTS, PUBLISHER_TAG, USERS, Rights, User, publisher_rights, source_in

ELEVATED = frozenset({"administrator", "monitoring", "policymaker", "management", "impersonator"})
"""Tags that RabbitMQ gives rights for."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Everybody on a broker, seen from one virtual host.

    `users` as the management API shows them; `permissions` by user and virtual host, `topics` by user and
    exchange of this virtual host.
    """

    vhost: str
    users: Mapping[str, Mapping[str, Any]]
    permissions: Mapping[str, Mapping[str, Mapping[str, str]]]
    topics: Mapping[str, Mapping[str, Mapping[str, str]]]

    @classmethod
    async def of(cls, management: Management) -> Accounts:
        """Raises ManagementError, also when the asking user is no administrator."""
        return cls(
            management.vhost,
            await management.users(),
            await management.permissions(),
            await management.topic_permissions(),
        )

    def permission(self, user: str) -> Mapping[str, str] | None:
        """In this virtual host; None: it may not even connect."""
        return self.permissions.get(user, {}).get(self.vhost)

    def may_act(self, user: str) -> bool:
        return (self.permission(user) or NO_RIGHTS.permission) != NO_RIGHTS.permission

    def unfinished(self, user: str) -> bool:
        """A publisher's user whose making was cut short: it has no rights anywhere and no password."""
        found = self.users.get(user)
        return (
            found is not None
            and is_publisher(found)
            and not found.get("password_hash")
            and not self.permissions.get(user)
        )

    def publishers(self, prefix: str = "") -> dict[str, Publisher]:
        """Publishers' users that belong to this virtual host, by their name on the broker."""
        return {
            name: Publisher(name, name.removeprefix(prefix), source_in(user["tags"]))
            for name, user in self.users.items()
            if name.startswith(prefix)
            and is_publisher(user)
            and (self.permission(name) is not None or name in self.topics)
        }


@dataclass(frozen=True, slots=True)
class Publisher:
    """`user` is its name on the broker, `name` the same without prefix; `source` None: the tag is lost."""

    user: str
    name: str
    source: str | None

    @property
    def rights(self) -> Rights:
        return publisher_rights(self.source) if self.source else NO_RIGHTS


@dataclass(frozen=True, slots=True)
class Declared:
    """The users that there ought to be on a broker, by their names there."""

    services: Mapping[str, User] = field(default_factory=dict)
    publishers: Mapping[str, Publisher] = field(default_factory=dict)

    @classmethod
    def on(cls, accounts: Accounts, prefix: str = "", users: Iterable[User] = USERS) -> Declared:
        services = {prefix + user.name: user for user in users}
        return cls(
            services,
            {user: found for user, found in accounts.publishers(prefix).items() if user not in services},
        )

    @property
    def rights(self) -> dict[str, Rights]:
        return {name: user.rights for name, user in self.services.items()} | {
            name: publisher.rights for name, publisher in self.publishers.items()
        }


def is_publisher(user: Mapping[str, Any]) -> bool:
    return PUBLISHER_TAG in user["tags"]


def unguarded(accounts: Accounts, declared: Declared) -> list[str]:
    """Users that may act although a topic permission of theirs is missing: any routing key passes."""
    return [
        user
        for user, rights in declared.rights.items()
        if accounts.may_act(user)
        and not rights.topic_permissions.keys() <= accounts.topics.get(user, {}).keys()
    ]


def drift(accounts: Accounts, user: str, rights: Rights) -> list[str]:
    """What a user has other than its rights here, a sentence for each difference."""
    if user not in accounts.users:
        return [f"user {user} is not there"]
    said = []
    found = accounts.permission(user)
    if found is None:
        said.append(f"user {user} may not use the virtual host")
    else:
        said += [
            f"user {user} may {kind} {found[kind]!r}, {declared!r} is declared"
            for kind, declared in rights.permission.items()
            if found[kind] != declared
        ]
    topics = accounts.topics.get(user, {})
    for exchange, declared_topic in rights.topic_permissions.items():
        topic = topics.get(exchange)
        if topic is None:
            said.append(
                f"user {user} may write every routing key to {exchange}: its topic permission is missing"
            )
        elif topic["write"] != declared_topic["write"]:
            said.append(
                f"user {user} may write routing keys {topic['write']!r} to {exchange},"
                f" {declared_topic['write']!r} is declared"
            )
    return said


def elevated(accounts: Accounts, declared: Declared) -> list[str]:
    """Our users that have a tag which gives rights over the broker."""
    return [
        f"user {user} has the tag {tag}"
        for user in declared.rights
        for tag in accounts.users.get(user, {}).get("tags", ())
        if tag in ELEVATED
    ]


def surplus(accounts: Accounts, declared: Declared, expected: Iterable[str] = ()) -> list[str]:
    """Rights that nobody declared: of strangers here, of ours elsewhere. `expected` administer."""
    ours = declared.rights.keys()
    said = [
        f"user {user} may use the virtual host (configure {rights['configure']!r},"
        f" write {rights['write']!r}, read {rights['read']!r})"
        for user in sorted(accounts.permissions)
        if user not in ours
        and user not in expected
        and (rights := accounts.permission(user)) is not None
        and accounts.may_act(user)
    ]
    said += [
        f"user {user} also has rights in virtual host {vhost!r}"
        for user in sorted(ours)
        for vhost in sorted(accounts.permissions.get(user, {}))
        if vhost != accounts.vhost
    ]
    said += [
        f"user {user} also has a topic permission on {exchange}"
        for user in sorted(ours)
        for exchange in sorted(accounts.topics.get(user, {}))
        if exchange not in declared.rights[user].topic_permissions
    ]
    return said
