"""How the server plans what services say: once per connection, by index.

Left to itself, Postgres plans a statement with arrays for its values each time, as one value looks cheaper
than the ten it takes an unknown array for: a lead that comes alone then costs more planning than work. The
plan it does keep was made when the table was small, reads all of it, and goes on doing so under a backlog.
Why: docs/adr/0053-statements-are-planned-once.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadbus.db.borrowing import Connection

PLANNED_ONCE: Mapping[str, str] = MappingProxyType(
    {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}
)
"""Server settings of every connection of a pool."""

_FOR_ARGUMENTS = "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = on"


async def plan_for_arguments(conn: Connection) -> None:
    """Have the statements of this transaction planned for the values they are given.

    For filters that a person may leave open (`$1 IS NULL OR …`): the plan that fits all of them is a walk
    through the table.
    """
    await conn.execute(_FOR_ARGUMENTS)
