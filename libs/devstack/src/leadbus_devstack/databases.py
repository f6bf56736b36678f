"""Databases for tests: cloned from a template that was migrated once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from leadbus_devstack.threads import run_apart


def with_database(admin_url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return urlunsplit(urlsplit(admin_url)._replace(path=f"/{name}"))


def execute(url: str, *statements: str) -> None:
    """Run statements one by one, each outside a transaction."""

    async def work() -> None:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    run_apart(work)


def create(admin_url: str, name: str) -> None:
    """Create a database unless it exists."""
    if not exists(admin_url, name):
        execute(admin_url, f'CREATE DATABASE "{name}" TEMPLATE template0')


def drop(admin_url: str, name: str) -> None:
    """Drop a database if it exists, whoever is still connected."""
    execute(admin_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def exists(url: str, name: str) -> bool:
    """True when the server has a database of that name."""

    async def work() -> bool:
        connection = await asyncpg.connect(url)
        try:
            return bool(await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name))
        finally:
            await connection.close()

    return run_apart(work)


def migrate(package: str, url: str) -> None:
    """Bring `url` to the newest schema of `package` ("ingest", "normalizer", …)."""
    from leadbus import db  # late: alembic takes its time, and few tests need it

    db.migrate(package, url)


@dataclass
class DatabaseFactory:
    """New databases on one server; `label` keeps two test workers apart."""

    admin_url: str
    label: str
    _templates: dict[str, str] = field(default_factory=dict)

    def create(self, package: str | None = None) -> str:
        """A new database, with the schema of `package` or empty; its URL."""
        name = f"leadbus_{self.label}_{secrets.token_hex(5)}"
        template = self._template(package) if package else "template0"
        execute(self.admin_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return with_database(self.admin_url, name)

    def drop(self, url: str) -> None:
        """Drop one that `create` made."""
        drop(self.admin_url, urlsplit(url).path[1:])

    def close(self) -> None:
        """Drop the templates."""
        while self._templates:
            drop(self.admin_url, self._templates.popitem()[1])

    def _template(self, package: str) -> str:
        if package not in self._templates:
            name = f"leadbus_{self.label}_{package}_{secrets.token_hex(4)}"
            create(self.admin_url, name)
            try:
                migrate(package, with_database(self.admin_url, name))
            except BaseException:
                drop(self.admin_url, name)
                raise
            self._templates[package] = name
        return self._templates[package]
