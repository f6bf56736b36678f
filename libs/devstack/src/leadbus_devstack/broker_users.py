"""Broker users with the least rights, as in production: nobody but the topology command configures."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from leadbus_devstack.vhosts import Vhost


@dataclass(frozen=True, slots=True)
class Rights:
    """Regular expressions over names, as RabbitMQ takes them; `topic`: of routing keys to leadbus.raw."""

    write: str
    read: str
    topic: str | None = None


SERVICES = {
    "ingest": Rights(write=r"^leadbus\.(raw|events)$", read=r"^ingest\..*$"),
    "normalizer": Rights(write=r"^leadbus\.events$", read=r"^normalizer\..*$"),
    "adf-mailer": Rights(write=r"^leadbus\.events$", read=r"^adf-mailer\..*$"),
}


def publisher(source: str) -> Rights:
    """A source's own publisher: the broker itself proves the routing key's source."""
    return Rights(write=r"^leadbus\.raw$", read="^$", topic=rf"^raw\.{source}$")


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """A user of one virtual host. `url` logs in as it."""

    vhost: Vhost
    name: str
    url: str

    def delete(self) -> None:
        self.vhost.manage("DELETE", f"users/{self.name}")


def create_user(vhost: Vhost, name: str, rights: Rights) -> BrokerUser:
    """Create it, or give it a new password and these rights."""
    password = secrets.token_urlsafe(18)
    vhost.manage("PUT", f"users/{name}", {"password": password, "tags": ""})
    vhost.manage(
        "PUT",
        f"permissions/{vhost.name}/{name}",
        {"configure": "^$", "write": rights.write, "read": rights.read},
    )
    if rights.topic is not None:
        vhost.manage(
            "PUT",
            f"topic-permissions/{vhost.name}/{name}",
            {"exchange": "leadbus.raw", "write": rights.topic, "read": "^$"},
        )
    address = urlsplit(vhost.amqp_url)
    host = f"{quote(name)}:{quote(password)}@{address.hostname}:{address.port or 5672}"
    return BrokerUser(vhost, name, urlunsplit(address._replace(netloc=host)))
