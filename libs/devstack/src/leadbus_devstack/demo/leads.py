"""What the demo sends: one lead of each source and type family."""

from __future__ import annotations

from datetime import datetime

from leadbus_devstack.demo import adf, alfatrack, bdk, contactatonce, virtualexpo
from leadbus_devstack.demo.lead import DemoLead


def leads(now: datetime) -> list[DemoLead]:
    """All of them; where a source's time matters to a reader, as if they had happened just before `now`."""
    return [
        *contactatonce.leads(now),
        *virtualexpo.leads(),
        *bdk.leads(),
        *alfatrack.leads(),
        *adf.leads(),
    ]
