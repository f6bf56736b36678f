"""The business setting of kind ``Source``: what the operator decided about a source's door."""

from typing import Annotated

from asyncpg import Record
from leadbus.contracts import SOURCES
from leadbus.db import Connection, Part
from leadbus.settings.documents import DocumentStore, InvalidSpec, Kind, Spec
from pydantic import Field

PUSHED = tuple(source for source in SOURCES if source != "dms")
"""Sources that may push over HTTP; DMS feeds are files and come through a door of their own."""

KIB = 1024
MIB = 1024 * KIB
MAX_BODY_BYTES = 4 * MIB
"""Never above what the normalizer reads (NORMALIZER_BODY_LIMIT_BYTES), else 202 would end in quarantine. A
lead event can be larger than its raw message, and RabbitMQ takes 16 MiB at most."""

AccountName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Source(Spec):
    """One source's door. The document's name is the source's name."""

    enabled: bool = Field(True, title="Open", description="When off, every request is answered 403.")
    accounts: tuple[AccountName, ...] = Field(
        (),
        title="Accounts",
        description="Accounts that API keys may stand for. None named: any account.",
        examples=[["main"]],
    )
    max_body_bytes: int | None = Field(
        None,
        ge=KIB,
        le=MAX_BODY_BYTES,
        title="Largest body, bytes",
        description="Beyond it 413. Not set: the service's INGEST_RAW_BODY_LIMIT_BYTES.",
    )
    duplicate_window_seconds: int = Field(
        600,
        ge=0,
        le=86_400,
        title="Duplicate window, seconds",
        description="The same body of the same account within this time is one message. 0: never.",
    )
    allow_test: bool = Field(
        True, title="Test messages", description="Whether messages marked ?test=true are taken."
    )

    def serves(self, account: str) -> bool:
        return not self.accounts or account in self.accounts


async def _check(_conn: Connection, name: str, _spec: Source) -> None:
    if name not in PUSHED:
        raise InvalidSpec("", f"the document's name is a source's: {', '.join(PUSHED)}", "unknown_source")


SOURCE = Kind(
    "Source", Source, check=_check, title="Source", description="Who may push over HTTP, and how much."
)


class SourceSettings:
    """The settings of all sources, None for a source without one."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    async def of(self, conn: Connection, source: str) -> Source | None:
        setting: Source | None = await self._store.spec(conn, SOURCE.name, source)
        return setting

    def finding(self, source: str) -> Part:
        """`of` as a part of a larger statement; `found` reads its answer."""
        return self._store.finding(SOURCE.name, source)

    def found(self, row: Record) -> Source | None:
        setting: Source | None = self._store.found(SOURCE.name, row)
        return setting
