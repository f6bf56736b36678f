"""The kind `AdfRoute` of this service's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadbus.db import Connection
from leadbus.settings.documents import InvalidSpec, Kind, Notice

from adf_mailer.domain.route import AdfRoute, Route
from adf_mailer.domain.route_conflicts import conflict
from adf_mailer.domain.route_notices import notices
from adf_mailer.store import routes


async def _one_for_each_lead(conn: Connection, name: str, spec: AdfRoute) -> None:
    """Of a dealer's enabled routes it can be said which takes a lead."""
    if not spec.enabled:
        return
    route = Route(name, spec)
    if found := conflict(route, await routes.enabled_beside(conn, route)):
        raise InvalidSpec(f"/{found.field}", found.detail, found.code)


def _notices(written: Mapping[str, Any], spec: AdfRoute) -> list[Notice]:
    return [
        Notice(pointer=f"/{one.field}", code=one.code, detail=one.detail) for one in notices(written, spec)
    ]


ADF_ROUTE = Kind(
    routes.KIND,
    AdfRoute,
    check=_one_for_each_lead,
    dealer_of=lambda _, spec: spec.dealer,
    notices_of=_notices,
    title="ADF route",
    description="Which leads of a dealer go where, and in which form.",
)
