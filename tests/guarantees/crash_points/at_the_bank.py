"""A lead at the BDK: told of, fetched and kept, while ingest dies in between."""

from __future__ import annotations

import asyncio
from typing import Any

from leadbus_devstack.sandboxes import SandboxProcess
from leadbus_devstack.sandboxes.bdk import CLIENT_ID

from tests.guarantees.crash_points.circumstances import Circumstance
from tests.guarantees.crash_points.scene import PATIENCE_SECONDS, Scene
from tests.guarantees.system import eventually

_ACCEPTED = 202


def _bank(scene: Scene) -> SandboxProcess:
    return scene.stack.sandboxes["bdk"]


def _name(scene: Scene) -> str:
    return f"bank-{scene.run}"


async def _connected(scene: Scene) -> None:
    bank = _bank(scene)
    secret = f"file:{bank.secret_file}"
    spec = {
        "base_url": bank.url,
        "token_url": f"{bank.url}/oauth/token",
        "client_id": CLIENT_ID,
        "client_secret": secret,
        "notifications": {"secrets": [secret]},
        # Nothing but the notification tells of the lead.
        "reconciliation": {"enabled": False},
    }
    await scene.put("ingest", "BdkConnection", _name(scene), spec)
    url = f"{scene.stack.services['ingest'].url}/v1/bdk/notifications/{_name(scene)}"
    await _ask(scene, "PUT", "/notifying", {"url": url})
    lead = {"leadId": _name(scene), "partnerNumber": "nobody's", "bdkLeadTypeId": "1a"}
    await asyncio.to_thread(bank.ask, "POST", "/leads?quietly=true", [lead])


async def _told_of(scene: Scene) -> None:
    await _ask(scene, "POST", "/notify", {"lead_ids": [_name(scene)]})


async def _told_again(scene: Scene) -> None:
    """By a bank that was not answered."""

    def accepted() -> object:
        told = _bank(scene).ask("POST", "/notify", {"lead_ids": [_name(scene)]})
        return told == [_ACCEPTED] or told

    await eventually("the bank answered", accepted, within_seconds=PATIENCE_SECONDS)
    await scene.send(by_http=1, by_queue=0)


async def _its_lease_ends(scene: Scene) -> None:
    ended = "UPDATE bdk_read SET lease_until = clock_timestamp() - interval '1 second' WHERE connection = $1"
    await scene.sql("ingest", ended, _name(scene))
    await scene.send(by_http=1, by_queue=0)


async def _is_one_message(scene: Scene) -> None:
    async def published() -> object:
        sql = "SELECT published_at IS NOT NULL AS published FROM raw WHERE source = 'bdk' AND account = $1"
        return [row["published"] for row in await scene.sql("ingest", sql, _name(scene))]

    async def arrived() -> object:
        sql = "SELECT count(*) FROM raw WHERE source = 'bdk' AND account = $1"
        return (await scene.sql("normalizer", sql, _name(scene)))[0]["count"]

    await scene.eventually("the lead published once", published, [True])
    await scene.eventually("the lead with the normalizer once", arrived, 1)


async def _ask(scene: Scene, method: str, path: str, body: Any) -> None:
    await asyncio.to_thread(_bank(scene).ask, method, path, body)


NOT_ANSWERED = Circumstance(
    "the bank tells of a lead, and again when it is not answered",
    _told_of,
    prepare=_connected,
    mend=_told_again,
    check=_is_one_message,
)
LEASE_ENDS = Circumstance(
    "the bank tells of a lead, and the lease of whoever fetched it ends",
    _told_of,
    prepare=_connected,
    mend=_its_lease_ends,
    check=_is_one_message,
)
