"""DBS: deploy/compose/databases.sh on a real server: each service has a database that no other may open."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from scripts.check_deploy import code

SCRIPT = code.ROOT / "deploy" / "compose" / "databases.sh"
NAMES = ("ingest", "normalizer", "adf_mailer")

needs_psql = pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not there")


def run(url: str, **passwords: str) -> None:
    server = urlsplit(url)
    address = {"PGHOST": server.hostname or "", "PGPORT": str(server.port), "PGUSER": server.username or ""}
    subprocess.run(
        ["sh", SCRIPT],
        env={**os.environ, **address, **{f"{name.upper()}_PASSWORD": passwords[name] for name in NAMES}},
        check=True,
        timeout=60,
    )


async def hashes(url: str) -> dict[str, str]:
    conn = await asyncpg.connect(url)
    rows = await conn.fetch("SELECT rolname, rolpassword FROM pg_authid WHERE rolname = ANY($1)", NAMES)
    await conn.close()
    return {row["rolname"]: row["rolpassword"] for row in rows}


async def who_may_connect(url: str) -> dict[str, set[str]]:
    conn = await asyncpg.connect(url)
    rows = await conn.fetch(
        "SELECT datname, rolname FROM pg_database, pg_roles WHERE datname = ANY($1) AND rolname = ANY($1)"
        " AND has_database_privilege(rolname, datname, 'CONNECT')",
        NAMES,
    )
    await conn.close()
    return {name: {row["rolname"] for row in rows if row["datname"] == name} for name in NAMES}


@needs_psql
async def test_dbs1_made_once_and_each_for_its_owner(private_postgres: Any) -> None:
    url = private_postgres.url
    passwords = {name: f"of {name}: 'quoted' \\ and \"odd\"" for name in NAMES}
    await asyncio.to_thread(run, url, **passwords)
    first = await hashes(url)
    assert await who_may_connect(url) == {name: {name} for name in NAMES}
    assert all(kept.startswith("SCRAM-SHA-256$") for kept in first.values())

    await asyncio.to_thread(run, url, **{**passwords, "ingest": "changed"})
    second = await hashes(url)
    assert second.keys() == first.keys()
    assert second["ingest"] != first["ingest"]
