"""The kind `AdfRoute` of this service's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadbus.db import Connection
from leadbus.settings.documents import InvalidSpec, Kind, Notice

from adf_mailer.domain.route import AdfRoute, Route
from adf_mailer.domain.route_notices import notices
from adf_mailer.store import routes


async def _one_route_per_address(conn: Connection, name: str, spec: AdfRoute) -> None:
    """The same lead twice at one address would look like two leads."""
    if spec.enabled and (other := await routes.same_address(conn, Route(name, spec))):
        raise InvalidSpec(
            "/address", f"the enabled route {other} of this dealer goes to the same address", "route_overlaps"
        )


def _notices(written: Mapping[str, Any], spec: AdfRoute) -> list[Notice]:
    return [
        Notice(pointer=f"/{one.field}", code=one.code, detail=one.detail)
        for one in notices(written.get("address"), spec)
    ]


ADF_ROUTE = Kind(
    routes.KIND,
    AdfRoute,
    check=_one_route_per_address,
    dealer_of=lambda _, spec: spec.dealer,
    notices_of=_notices,
    title="ADF route",
    description="Where a dealer's leads go as ADF mail, and in which form.",
)
