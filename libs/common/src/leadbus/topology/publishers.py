"""Publishers' users: made so that they can do nothing until everything that limits them is there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from leadbus.topology.accounts import Accounts, Publisher, is_publisher
from leadbus.topology.declaration import RAW_EXCHANGE
from leadbus.topology.granting import all_accounts
from leadbus.topology.management import Management
from leadbus.topology.users import USERS, publisher_rights, publisher_tags, source_in

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", re.ASCII)
_RESERVED = frozenset({"guest", *(user.name for user in USERS)})


class PublisherError(Exception):
    """The publisher cannot be added or removed as asked: one line that says what to do."""


@dataclass(frozen=True, slots=True)
class PublisherUsers:
    """The publishers of one virtual host; their users' names begin with `prefix`.

    Everything raises ManagementError when the management API is away or refuses, and UsersError when its
    user is no administrator.
    """

    management: Management
    prefix: str = ""

    async def accounts(self) -> Accounts:
        return await all_accounts(self.management)

    async def all(self) -> list[Publisher]:
        found = (await self.accounts()).publishers(self.prefix)
        return [found[name] for name in sorted(found)]

    async def free(self, name: str) -> str:
        """The name of a user that can be made for this publisher.

        Raises PublisherError for a bad or taken name and while there is no exchange.
        """
        user = self._user(name)
        if user in (await all_accounts(self.management)).users:
            raise PublisherError(
                f"the broker has a user {user} already: choose another name, or remove that one first"
            )
        if RAW_EXCHANGE not in await self.management.exchanges():
            raise PublisherError(
                f"there is no exchange {RAW_EXCHANGE} in virtual host {self.management.vhost!r}:"
                " `leadbus topology apply` makes it"
            )
        return user

    async def prepare(self, user: str, source: str) -> None:
        """Make it with its rights and no password: cut short anywhere, nobody can log in as it.

        Raises ValueError for a source that is none of ours.
        """
        rights = publisher_rights(source)
        await self.management.put_user(user, {"password_hash": "", "tags": ",".join(publisher_tags(source))})
        for exchange, topic in rights.topic_permissions.items():
            await self.management.set_topic_permission(user, exchange, topic)
        await self.management.set_permission(user, rights.permission)

    async def enable(self, user: str, source: str, password: str) -> None:
        """From here on it can log in."""
        await self.management.put_user(user, {"password": password, "tags": ",".join(publisher_tags(source))})

    async def find(self, name: str) -> Publisher:
        """One of this virtual host, or one whose making was cut short. Raises PublisherError for none."""
        accounts = await all_accounts(self.management)
        user = self._user(name)
        found = accounts.publishers(self.prefix).get(user)
        if found is None and accounts.unfinished(user):
            found = Publisher(user, name, source_in(accounts.users[user]["tags"]))
        if found is None:
            raise PublisherError(_why_none(accounts, user))
        return found

    async def remove(self, user: str) -> None:
        """Ends its connections and deletes it. Nothing happens when there is none."""
        # Deleted first: one that is only disconnected comes back at once.
        await self.management.delete_user(user)
        await self.management.close_connections_of(user)

    def _user(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise PublisherError(
                f"{name!r} is no name for a publisher: lower-case letters, digits, points and hyphens between"
                " them, at most 63"
            )
        if name in _RESERVED:
            raise PublisherError(f"{name} is the name of a service or an administrator: choose another one")
        return self.prefix + name


def _why_none(accounts: Accounts, user: str) -> str:
    if user not in accounts.users:
        return f"the broker has no user {user}"
    if not is_publisher(accounts.users[user]):
        return f"user {user} is no publisher's and was left alone"
    return f"user {user} is a publisher's, but of another virtual host than {accounts.vhost!r}"
