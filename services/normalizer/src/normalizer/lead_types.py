"""Own readings of the BDK's lead types: `LeadTypeOverride` settings, and the tables in force by them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from leadbus.contracts.vocabulary import Channel, ConsentBasis, FinanceProduct, Precheck, Urgency
from leadbus.db import Connection, Database, in_turn
from leadbus.log import logger
from leadbus.settings.documents import InvalidSpec, Kind, Spec
from pydantic import Field, StringConstraints, ValidationError, model_validator

from normalizer.sources.bdk_types import TYPES, LeadTypes, normalized

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]

CHANNEL = "normalizer_lead_types"
"""NOTIFY channel that a change of a `LeadTypeOverride` rings."""
POLL_SECONDS = 5.0
_WHERE = ("type_id", "account")
_TAKEN = """
SELECT name FROM setting
 WHERE kind = 'LeadTypeOverride' AND lower(spec ->> 'type_id') = $1
   AND coalesce(spec ->> 'account', '') = $2 AND name <> $3
"""
_ALL = "SELECT spec::text FROM setting WHERE kind = 'LeadTypeOverride' ORDER BY name"

_log = logger("lead types")


class UrgencySpec(Spec):
    """How urgent the title of a type reads, and how urgent its description; the more urgent one counts."""

    title: Urgency | None = Field(None, title="By the title")
    description: Urgency | None = Field(None, title="By the description")


class LeadTypeOverrideSpec(Spec):
    """What one `bdkLeadTypeId` means here; what is left out keeps the reading of the release."""

    type_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}[A-Za-z]$")] = Field(
        title="Type", description="As `7e`; one that the release does not know becomes known by it."
    )
    account: Line | None = Field(
        None, title="Account", description="Only leads that come through this connection; empty: any."
    )
    title: Line | None = Field(None, title="Title")
    title_en: Line | None = Field(None, title="Title in English")
    origin: Line | None = Field(None, title="Origin", description="The lead system.")
    channel: Channel | None = Field(None, title="Channel", description="How the person came.")
    consent: ConsentBasis | None = Field(
        None, title="Consent", description="On what ground the person may be contacted."
    )
    test_drive: bool | None = Field(None, title="Test drive")
    callback: bool | None = Field(None, title="Call back")
    reservation: bool | None = Field(None, title="Reservation")
    precheck: Precheck | None = Field(None, title="Credit check", description="A likelihood at most.")
    product: FinanceProduct | None = Field(None, title="Finance product")
    customer: Literal["new", "existing"] | None = Field(None, title="Customer")
    contract_expiry: bool | None = Field(
        None, title="Contract expiry", description="Nobody asked for anything: no inquiry."
    )
    campaign: bool | None = Field(None, title="Campaign")
    configurator: bool | None = Field(None, title="Configured")
    new_car: bool | None = Field(None, title="New car")
    ambiguous: bool | None = Field(
        None, title="Ambiguous", description="Whether title and description disagree: leads carry a warning."
    )
    hints: tuple[Line, ...] | None = Field(
        None, title="Hints", description="What the description says beyond the title."
    )
    urgency: UrgencySpec | None = Field(None, title="Urgency")

    @model_validator(mode="after")
    def _says_something(self) -> LeadTypeOverrideSpec:
        if not self.fields:
            raise ValueError("it changes nothing")
        return self

    @property
    def fields(self) -> Mapping[str, Any]:
        """What it changes, as the table has it."""
        told = self.model_dump(exclude_none=True, exclude=set(_WHERE))
        return {name: value for name, value in told.items() if value != {}}


class LeadTypesInForce:
    """The tables of this process. Every replica reads a change within seconds; until then, and in what was
    read before, the former reading stands. A replay reads anew.
    """

    def __init__(self, database: Database | None = None) -> None:
        """Without a database what the release knows is in force for ever."""
        self._database = database
        self._by_account: Mapping[str | None, LeadTypes] = MappingProxyType({None: TYPES})
        self._rung = asyncio.Event()

    def of(self, account: str) -> LeadTypes:
        """The table by which leads of this account are read."""
        tables = self._by_account
        return tables.get(account, tables[None])

    async def load(self) -> None:
        """Read the settings."""
        if self._database is None:
            return
        async with self._database.acquire() as conn:
            rows = await conn.fetch(_ALL)
        self._by_account = tables_of(
            [LeadTypeOverrideSpec.model_validate(json.loads(row[0])) for row in rows]
        )

    async def run(self) -> None:
        """Keep up with the settings, for ever. The ring is a hint, the poll the guarantee."""
        while True:
            self._rung.clear()
            await self.load()
            try:
                await asyncio.wait_for(self._rung.wait(), POLL_SECONDS)
            except TimeoutError:
                continue

    async def listen(self) -> None:
        """Be rung by changes, in whichever replica they are made."""
        if self._database is not None:
            await self._database.listen(CHANNEL, self._rung.set)


def tables_of(overrides: list[LeadTypeOverrideSpec]) -> Mapping[str | None, LeadTypes]:
    """The table of each account that has own readings, over what holds for any; under None the latter."""
    anywhere = {one.type_id: one.fields for one in overrides if one.account is None}
    common = _overridden(TYPES, anywhere)
    accounts = {one.account for one in overrides if one.account is not None}
    own = {
        account: _overridden(common, {one.type_id: one.fields for one in overrides if one.account == account})
        for account in accounts
    }
    return MappingProxyType({None: common, **own})


def _overridden(table: LeadTypes, fields: Mapping[str, Mapping[str, Any]]) -> LeadTypes:
    try:
        return table.with_overrides(fields)
    except ValueError:
        # Refused at apply; of another release's words the lead must not suffer.
        _log.error("lead_types.override_unreadable", types=sorted(fields))
        return table


async def _check(conn: Connection, name: str, spec: LeadTypeOverrideSpec) -> None:
    type_id, account = normalized(spec.type_id), spec.account or ""
    await in_turn(conn, f"lead type {type_id} {account}")
    taken = await conn.fetchval(_TAKEN, type_id, account, name)
    if taken is not None:
        raise InvalidSpec("/type_id", f"LeadTypeOverride/{taken} is about this type already", "taken")
    try:
        TYPES.with_overrides({spec.type_id: spec.fields})
    except ValidationError as error:
        where = "/".join(str(part) for part in error.errors()[0]["loc"])
        raise InvalidSpec(f"/{where}", "no reading that a type can have") from None


async def _ring(conn: Connection, _name: str, _old: Any, _new: Any) -> None:
    """Heard when the change is committed."""
    await conn.execute("SELECT pg_notify($1, '')", CHANNEL)


LEAD_TYPE_OVERRIDE = Kind(
    "LeadTypeOverride",
    LeadTypeOverrideSpec,
    check=_check,
    on_change=_ring,
    title="Lead type",
    description="An own reading of one of the BDK's lead types.",
)
