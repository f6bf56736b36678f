"""The settings of kind ``MailRecipient``, by their addresses."""

from __future__ import annotations

from leadbus.db import Connection, in_turn

KIND = "MailRecipient"
_FIND = f"SELECT name, spec::text AS spec FROM setting WHERE kind = '{KIND}' AND spec ->> 'address' = $1"  # noqa: S608
_TAKEN = f"SELECT name FROM setting WHERE kind = '{KIND}' AND spec ->> 'address' = $1 AND name <> $2"  # noqa: S608


async def find(conn: Connection, address: str) -> tuple[str, str] | None:
    """Name and spec (JSON) of the recipient with an address, as `mail.recipient.normal` writes it."""
    row = await conn.fetchrow(_FIND, address)
    return (row["name"], row["spec"]) if row else None


async def taken(conn: Connection, address: str, name: str) -> str | None:
    """Name of another setting with the address; nobody else can take it until the transaction ends."""
    await in_turn(conn, f"mail recipient {address}")
    other: str | None = await conn.fetchval(_TAKEN, address, name)
    return other
