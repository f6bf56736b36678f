"""The mail server refuses, hangs and breaks off at every place where that matters, while leads flow."""

from __future__ import annotations

import pytest

from tests.guarantees import accounting, books
from tests.guarantees.books import Books
from tests.guarantees.enduring import endure
from tests.guarantees.faults import Fault, smtp
from tests.guarantees.stream import Stream
from tests.guarantees.system import System

pytestmark = pytest.mark.timeout(400)

GONE = smtp("refuses connections", doubts=accounting.IN_FLIGHT, refuse=True)
"""It ends what it was in the middle of, so what was under way at that moment is in doubt."""
NO_DOUBT = (
    smtp("defers every mail after its final dot", data="452 4.2.2 full"),
    smtp("breaks off at DATA", drop_after_data=True),
)
NO_DOUBT_EITHER = (
    smtp("is busy at the greeting", banner="421 4.3.2 busy"),
    smtp("defers every sender", mail="451 4.3.0 later"),
)
_ANY_NUMBER = 10_000
IN_DOUBT = (
    smtp("breaks off after the final dot, mail lost", doubts=_ANY_NUMBER, drop_after_dot="unstored"),
    smtp("hangs after the final dot, mail kept", doubts=_ANY_NUMBER, hang_after_data="stored"),
)
IN_DOUBT_TOO = (
    smtp("breaks off after the final dot, mail kept", doubts=_ANY_NUMBER, drop_after_dot="stored"),
    smtp("hangs after the final dot, mail lost", doubts=_ANY_NUMBER, hang_after_data="unstored"),
)


async def test_a_mail_server_that_is_away_is_waited_for(system: System) -> None:
    await endure(system, GONE, lasting_seconds=3)


@pytest.mark.parametrize(
    "fault",
    [*NO_DOUBT, *(pytest.param(fault, marks=pytest.mark.full) for fault in NO_DOUBT_EITHER)],
    ids=lambda fault: fault.name,
)
async def test_what_was_never_taken_comes_once(system: System, fault: Fault) -> None:
    told = await endure(system, fault, lasting_seconds=3)
    assert {len(story.mails) for story in told.values()} <= {0, 1}, "nothing was in doubt, nothing came twice"


@pytest.mark.parametrize(
    "fault",
    [*IN_DOUBT, *(pytest.param(fault, marks=pytest.mark.full) for fault in IN_DOUBT_TOO)],
    ids=lambda fault: fault.name,
)
async def test_what_may_have_been_taken_is_sent_again_and_says_so(system: System, fault: Fault) -> None:
    told = await endure(system, fault, lasting_seconds=5)
    doubtful = [story for story in told.values() if story.ambiguous]
    assert doubtful, "the fault struck"
    kept = "mail kept" in fault.name
    assert {len(story.mails) for story in doubtful} <= ({1, 2, 3, 4, 5} if kept else {1})
    assert not kept or max(len(story.mails) for story in doubtful) > 1, "the first try had arrived"


async def test_gauges_show_what_the_tables_hold(system: System) -> None:
    before = await Books.open(system)
    stream = Stream(system, total=40, varied=True)
    await system.smtp(refuse=True)
    try:
        await stream.flow()
        await accounting.eventually_all(
            "backlogs are shown while there is one", lambda: _backlogs(system), within_seconds=90
        )
    finally:
        await system.smtp()
    await accounting.settle(stream, before)
    await accounting.eventually_all(
        "backlogs are shown to be gone", lambda: books.backlog_differences(system), within_seconds=60
    )


async def _backlogs(system: System) -> object:
    rows = await books.count_rows(system, {(one.service, one.rows) for one in books.BACKLOGS})
    undelivered = rows["adf-mailer", books.UNDELIVERED.rows]
    quarantined = rows["normalizer", books.QUARANTINED.rows]
    if not undelivered or not quarantined:
        return rows
    return await books.backlog_differences(system)
