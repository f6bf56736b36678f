"""Virtual hosts: one broker, many tests that do not see each other."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import httpx2


@dataclass(frozen=True, slots=True)
class Vhost:
    """`amqp_url` ends in the virtual host; `management_url` is the server's, credentials included."""

    amqp_url: str
    management_url: str
    name: str

    def create(self) -> None:
        """Raises httpx2.HTTPError when the management API does not do it."""
        self._call("PUT", f"vhosts/{self.name}")
        user = quote(urlsplit(self.management_url).username or "guest", safe="")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self._call("PUT", f"permissions/{self.name}/{user}", json=everything)

    def delete(self) -> None:
        self._call("DELETE", f"vhosts/{self.name}")

    def _call(self, method: str, path: str, json: object = None) -> None:
        address = urlsplit(self.management_url)
        host = f"{address.scheme}://{address.hostname}:{address.port}"
        httpx2.request(
            method,
            f"{host}/api/{path}",
            auth=(address.username or "guest", address.password or "guest"),
            json=json,
            timeout=30,
        ).raise_for_status()


def new_vhost(amqp_url: str, management_url: str, label: str) -> Vhost:
    """A virtual host of a name nobody has used, created."""
    name = f"leadbus-{label}-{secrets.token_hex(4)}"
    vhost = Vhost(urlunsplit(urlsplit(amqp_url)._replace(path=f"/{name}")), management_url, name)
    vhost.create()
    return vhost
