"""A try that cannot even read its mail is no mail in doubt, however long the database takes."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from uuid import UUID

import pytest
from adf_mailer.delivery import AdfMailSink, sink
from leadbus.clock import SystemClock
from leadbus.db import DatabaseUnavailable
from leadbus.delivery import Job, Outcome, Transient

JOB = cast("Job", type("AJob", (), {"delivery_id": UUID(int=1)}))


class Desk:
    """Answers with an error, or not at all."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def prepare(self, job: Job) -> Any:
        if self._error is not None:
            raise self._error
        await asyncio.Event().wait()


class NoPool:
    async def send(self, *_: object) -> Outcome:
        raise AssertionError("nothing is prepared, so nothing may be sent")


@pytest.mark.parametrize(
    "error", [None, DatabaseUnavailable(), ValueError("a defect")], ids=["hangs", "away", "defect"]
)
async def test_what_could_not_be_prepared_was_not_sent(
    error: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "PREPARE_SECONDS", 0.05)
    none = cast("Any", None)
    tried = AdfMailSink(cast("Any", Desk(error)), cast("Any", NoPool()), none, none, none, SystemClock())
    # The engine would cut the try off and call it ambiguous.
    async with asyncio.timeout(60):
        assert await tried.deliver(JOB) == Transient("not_prepared", destination_heard=False)
