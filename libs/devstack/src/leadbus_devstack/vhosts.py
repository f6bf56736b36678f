"""Virtual hosts: one broker, many tests that do not see each other."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import httpx2


@dataclass(frozen=True, slots=True)
class Vhost:
    """`amqp_url` ends in the virtual host; `management_url` is the server's, credentials included."""

    amqp_url: str
    management_url: str
    name: str

    def create(self) -> None:
        """Create it for the user of `management_url`; nothing happens where it exists."""
        self.manage("PUT", f"vhosts/{self.name}")
        user = quote(urlsplit(self.management_url).username or "guest", safe="")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.manage("PUT", f"permissions/{self.name}/{user}", everything)

    def delete(self) -> None:
        self.manage("DELETE", f"vhosts/{self.name}")

    def manage(self, method: str, path: str, json: object = None) -> None:
        """A call of the management API. Raises httpx2.HTTPError when it is refused or fails."""
        address = urlsplit(self.management_url)
        httpx2.request(
            method,
            f"{address.scheme}://{address.hostname}:{address.port}/api/{path}",
            auth=(unquote(address.username or "guest"), unquote(address.password or "guest")),
            json=json,
            timeout=30,
        ).raise_for_status()


def vhost_named(amqp_url: str, management_url: str, name: str) -> Vhost:
    """The virtual host `name` of a server, not yet created."""
    return Vhost(urlunsplit(urlsplit(amqp_url)._replace(path=f"/{name}")), management_url, name)


def new_vhost(amqp_url: str, management_url: str, label: str) -> Vhost:
    """A virtual host of a name nobody has used, created."""
    vhost = vhost_named(amqp_url, management_url, f"leadbus-{label}-{secrets.token_hex(4)}")
    vhost.create()
    return vhost
