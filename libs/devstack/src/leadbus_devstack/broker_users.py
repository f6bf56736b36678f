"""Broker users with exactly the rights that the topology declares, as in production."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlsplit, urlunsplit

from leadbus import topology
from leadbus.topology.credentials import generated
from leadbus.topology.management import Management
from leadbus.topology.publishers import PublisherUsers

from leadbus_devstack.vhosts import Vhost


class BrokerUsers:
    """The services' users and the publishers' of one virtual host; their names begin with `prefix`.

    Their passwords are made by the first `apply` and known to nobody else.
    """

    def __init__(self, vhost: Vhost, prefix: str = "") -> None:
        self._vhost = vhost
        self._prefix = prefix
        self._passwords: dict[str, str] = {}

    async def apply(self, publishers: Iterable[str] = ()) -> None:
        """The whole topology with its users, and a publisher for each source named.

        Again, also on a broker that forgot everything: the same, with the same passwords.
        """
        services = {user.name: self._password(user.name) for user in topology.USERS}
        users = topology.Users(topology.GivenCredentials(services), self._prefix, frozenset(services))
        await topology.apply(self._vhost.amqp_url, self._vhost.management_url, users=users)
        async with Management(self._vhost.management_url, self._vhost.name) as management:
            found = PublisherUsers(management, self._prefix)
            there = {publisher.name for publisher in await found.all()}
            for source in publishers:
                user = self._prefix + source
                if source not in there:
                    await found.remove(user)  # of this name, but not ours
                    await found.prepare(user, source)
                await found.enable(user, source, self._password(source))

    def _password(self, name: str) -> str:
        return self._passwords.setdefault(name, generated())

    def url(self, name: str) -> str:
        """Logs in as the service or publisher of this name."""
        address = urlsplit(self._vhost.amqp_url)
        user = f"{quote(self._prefix + name, safe='')}:{quote(self._passwords[name], safe='')}"
        host = f"{user}@{address.hostname}:{address.port or 5672}"
        return urlunsplit(address._replace(netloc=host))

    def delete(self) -> None:
        for name in self._passwords:
            self._vhost.manage("DELETE", f"users/{self._prefix}{name}")
