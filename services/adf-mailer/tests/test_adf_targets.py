"""RT120–RT125: what the ledger is told of each of a route's recipients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from leadbus.contracts import Lead
from leadbus_devstack.smtp import SmtpServer

Leads = Callable[..., Lead]
Refusing = Callable[..., Awaitable[Any]]

CRM, SECOND, COPY, BOSS, SALES, OTHER = (
    f"{name}@x.example" for name in ("crm", "second", "copy", "boss", "sales", "other")
)
ALL = {
    "address": CRM,
    "more_addresses": [SECOND],
    "copies": [COPY],
    "notify": [BOSS, SALES],
    "alternate_address": OTHER,
}


async def said(mailer: Any) -> list[tuple[str, bool, str]]:
    """(target, aside, outcome) of what was told of deliveries, in their order."""
    return sorted(
        (event["target"], event["aside"], event["outcome"])
        for event in await mailer.events()
        if event["type"].startswith("delivery.")
    )


def refuses(*addresses: str) -> dict[str, Any]:
    async def rcpt(command: str) -> str | None:
        return "550 5.1.1 no such mailbox" if any(one in command for one in addresses) else None

    return {"rcpt": rcpt}


async def tell(mailer: Any, lead: Lead) -> None:
    await mailer.take(mailer.event("received", lead))
    await mailer.work()


async def test_rt120_every_recipient_by_its_place(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    await mailer.route(**ALL)
    await tell(mailer, golden_lead())

    assert await said(mailer) == [
        ("", False, "delivered"),
        ("copies.1", True, "delivered"),
        ("more_addresses.1", False, "delivered"),
        ("notify.1", True, "delivered"),
        ("notify.2", True, "delivered"),
    ]
    assert not any("@" in event["target"] for event in await mailer.events())


@pytest.mark.parametrize(
    ("refused", "target"),
    [pytest.param(CRM, "", id="RT121-address"), pytest.param(SECOND, "more_addresses.1", id="RT121-another")],
)
async def test_the_alternate_has_the_place_of_what_it_stands_in_for(
    mailer: Any, golden_lead: Leads, refusing: Refusing, refused: str, target: str
) -> None:
    await mailer.route(**{**ALL, "copies": [], "notify": []})
    await refusing(**refuses(refused))
    await tell(mailer, golden_lead())

    place = [one for one in await said(mailer) if one[0] == target]
    assert place == [(target, False, "delivered"), (target, False, "refused")]
    rows = await mailer.rows(
        "SELECT role FROM mail JOIN delivery ON id = delivery_id WHERE target = $1 ORDER BY seq", target
    )
    assert [row["role"] for row in rows] == ["lead", "alternate"]


@pytest.mark.parametrize(
    ("where", "target"),
    [
        pytest.param({"address": CRM}, "", id="RT122-address"),
        pytest.param({"address": CRM, "copies": [COPY]}, "copies.1", id="RT122-copy"),
    ],
)
async def test_a_shorter_mail_has_the_place_of_the_longer_one(
    mailer: Any, golden_lead: Leads, refusing: Refusing, where: dict[str, Any], target: str
) -> None:
    left = ["552 5.3.4 message too big"]

    async def rcpt(command: str) -> str | None:
        return left.pop() if left and (COPY if target else CRM) in command else None

    await mailer.route(**where)
    await refusing(rcpt=rcpt)
    lines = [{"speaker": "customer", "text": f"line {number} " + "words " * 20} for number in range(400)]
    await tell(mailer, golden_lead(transcript=lines))

    place = [one for one in await said(mailer) if one[0] == target]
    aside = bool(target)
    assert place == [(target, aside, "delivered"), (target, aside, "too_large_shortened")]


async def test_rt123_warnings_have_places_of_their_own(
    mailer: Any, golden_lead: Leads, refusing: Refusing
) -> None:
    await mailer.route(address=CRM, notify=[BOSS, SALES])
    await refusing(**refuses(CRM))
    for _ in range(3):
        lead = golden_lead(lead_id=str(uuid4()))
        await tell(mailer, lead)

    of_the_last = [event for event in await mailer.events() if event.get("subject_id") == str(lead.lead_id)]
    assert sorted((event["target"], event["aside"], event["outcome"]) for event in of_the_last) == [
        ("", False, "refused"),
        ("notify.1", True, "delivered"),
        ("notify.2", True, "delivered"),
        ("warning.1", True, "delivered"),
        ("warning.2", True, "delivered"),
    ]


async def test_rt124_a_skip_is_told_of_the_first(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route(**ALL, enabled=False)
    await tell(mailer, golden_lead())

    assert await said(mailer) == [("", False, "route_disabled")]


async def test_rt125_what_was_planned_before_there_were_places_is_of_the_first(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    """As a release from before 0013 plans: without a word of it."""
    await mailer.route(**{**ALL, "notify": []})
    await mailer.take(mailer.event("received", golden_lead()))
    async with mailer.database.acquire() as conn:
        await conn.execute("UPDATE delivery SET target = DEFAULT, aside = DEFAULT")
    await mailer.work()

    assert await said(mailer) == [("", False, "delivered")] * 3
