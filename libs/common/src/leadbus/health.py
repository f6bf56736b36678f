"""Whether this process lives, is ready, and what its tasks do.

Liveness asks only what a restart can mend: an event loop that stands still, a task that dies again and again
for a long time, a task that hangs (it said when it would be heard of again, and was not; `leadbus.pulse`).
Broker and database never matter to it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from leadbus import metrics, pulse
from leadbus.log import logger
from leadbus.pulse import Pulse

TaskFunction = Callable[[], Awaitable[None]]
Check = Callable[[], Awaitable[bool]]

_log = logger("health")

TASK_ALIVE = metrics.gauge(
    "leadbus_task_alive",
    "1 while the supervised task runs, 0 while it hangs or waits to be started again.",
    labels={"task": metrics.configured("names of the service's supervised tasks", 50)},
)
TASK_RESTARTS = metrics.counter(
    "leadbus_task_restarts_total",
    "Times a supervised task ended unasked and was started again.",
    labels={"task": metrics.configured("names of the service's supervised tasks", 50)},
)
READY = metrics.gauge(
    "leadbus_ready",
    "1 while the readiness check passes, as of the last probe.",
    labels={"check": metrics.configured("names of the service's readiness checks", 50)},
)
LOOP_LAG = metrics.gauge(
    "leadbus_event_loop_lag_seconds", "How late the event loop woke a task that slept for one second."
)


@dataclass(slots=True)
class _Task:
    name: str
    run: TaskFunction
    pulse: Pulse
    running: bool = False
    down_since: float | None = None
    waiting_for_server: bool = False
    handle: asyncio.Task[None] | None = field(default=None, repr=False)


class Health:
    """Supervises a service's tasks and answers for it on `/livez`, `/readyz`, `/metrics`."""

    def __init__(
        self,
        service: str,
        *,
        unavailable: Callable[[BaseException], bool] = lambda error: isinstance(
            error, OSError | TimeoutError
        ),
        dead_seconds: float = 300.0,
        check_seconds: float = 2.0,
        backoff_seconds: tuple[float, float] = (0.5, 30.0),
        steady_seconds: float = 60.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`unavailable` tells errors of a server that is away (never a reason to be restarted) from ours.

        A task that keeps failing of itself for `dead_seconds` ends liveness; one that ran for
        `steady_seconds` starts with a short backoff again.
        """
        self.service = service
        self._unavailable = unavailable
        self._dead_seconds = dead_seconds
        self._check_seconds = check_seconds
        self._backoff_seconds = backoff_seconds
        self._steady_seconds = steady_seconds
        self._now = now
        self._tasks: dict[str, _Task] = {}
        self._checks: dict[str, Check] = {}
        self._state = "starting"
        self._started = False
        self._ticker: asyncio.Task[None] | None = None

    def supervise(self, name: str, run: TaskFunction) -> None:
        """Keep `run` running: started by `start`, again after it ended unasked, with growing backoff."""
        if name in self._tasks:
            raise ValueError(f"two tasks called {name}")
        task = self._tasks[name] = _Task(name, run, Pulse(self._now))
        if self._started:
            self._launch(task)

    def check_ready(self, name: str, check: Check) -> None:
        """Readiness needs `check` to be true; one that raises or takes too long is not."""
        self._checks[name] = check

    def starting(self) -> None:
        """From here on the loop's own clock is watched."""
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick(), name="health-ticker")

    def start(self) -> None:
        """Start every supervised task and count as ready when the checks pass."""
        self.starting()
        self._started = True
        self._state = "running"
        for task in self._tasks.values():
            self._launch(task)

    def draining(self) -> None:
        """Not ready any more; tasks that end now are not started again."""
        self._state = "draining"

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """Cancel what still runs and wait for its end."""
        self.draining()
        handles = [task.handle for task in self._tasks.values() if task.handle] + (
            [self._ticker] if self._ticker else []
        )
        for handle in handles:
            handle.cancel()
        if handles:
            _, pending = await asyncio.wait(handles, timeout=timeout_seconds)
            for handle in pending:
                _log.error("health.task_ignores_cancellation", task=handle.get_name())
        self._ticker = None

    def alive(self) -> tuple[bool, dict[str, str]]:
        """Whether to live on, and what each task does."""
        states = {task.name: self._state_of(task) for task in self._tasks.values()}
        return not any(state in ("dead", "stalled") for state in states.values()), states

    async def ready(self) -> tuple[bool, dict[str, str]]:
        """Whether to be given work, and what each check says; bounded in time."""
        names = list(self._checks)
        outcomes = await asyncio.gather(*(self._run_check(name) for name in names))
        checks = {"service": self._state, **dict(zip(names, outcomes, strict=True))}
        passed = self._state == "running" and all(outcome == "ok" for outcome in outcomes)
        return passed, checks

    def router(self) -> APIRouter:
        """`/livez`, `/readyz`, `/metrics`; outside of the OpenAPI document, without tokens."""
        router = APIRouter(include_in_schema=False)

        @router.get("/livez")
        async def livez() -> JSONResponse:
            alive, tasks = self.alive()
            return _answer(alive, service=self.service, tasks=tasks)

        @router.get("/readyz")
        async def readyz() -> JSONResponse:
            ready, checks = await self.ready()
            return _answer(ready, service=self.service, checks=checks)

        @router.get("/metrics")
        async def exposition() -> Response:
            return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

        return router

    async def _run_check(self, name: str) -> str:
        try:
            async with asyncio.timeout(self._check_seconds):
                outcome = "ok" if await self._checks[name]() else "failing"
        except TimeoutError:
            outcome = "timed out"
        except Exception as error:  # noqa: BLE001 - whatever a check raises, the answer is "not ready"
            outcome = f"failing: {type(error).__name__}"
        READY.labels(check=name).set(outcome == "ok")
        return outcome

    def _state_of(self, task: _Task) -> str:
        if task.running:
            return "stalled" if task.pulse.missed else "running"
        if self._state == "draining" or not self._started:
            return "stopped"
        if task.waiting_for_server:
            return "waiting"
        down = self._now() - task.down_since if task.down_since is not None else 0.0
        return "dead" if down > self._dead_seconds else "restarting"

    def _launch(self, task: _Task) -> None:
        task.handle = asyncio.create_task(self._supervised(task), name=task.name)

    async def _supervised(self, task: _Task) -> None:
        pulse.watch(task.pulse)
        least, most = self._backoff_seconds
        backoff = least
        while True:
            started = self._now()
            await self._run_once(task)
            if self._state == "draining":
                return
            if self._now() - started >= self._steady_seconds:
                backoff = least
                task.down_since = self._now()
            TASK_RESTARTS.labels(task=task.name).inc()
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, most)

    async def _run_once(self, task: _Task) -> None:
        task.running = True
        task.pulse.rest()
        TASK_ALIVE.labels(task=task.name).set(1)
        try:
            await task.run()
        except asyncio.CancelledError as error:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            # aiormq raises CancelledError at whoever waits on a channel that died: nobody cancelled us.
            self._ended(task, error)
        except Exception as error:  # noqa: BLE001 - the one place where a task's failure meets its fate
            self._ended(task, error)
        else:
            self._ended(task, None)
        finally:
            task.running = False
            TASK_ALIVE.labels(task=task.name).set(0)

    def _ended(self, task: _Task, error: BaseException | None) -> None:
        if self._state == "draining":
            return
        task.waiting_for_server = error is not None and self._unavailable(error)
        if task.waiting_for_server:
            task.down_since = None
            _log.warning("health.task_waits_for_server", task=task.name, reason=type(error).__name__)
            return
        if task.down_since is None:
            task.down_since = self._now()
        _log.error("health.task_ended_unasked", task=task.name, exc_info=error)

    async def _tick(self) -> None:
        while True:
            slept_from = self._now()
            await asyncio.sleep(1.0)
            LOOP_LAG.set(max(0.0, self._now() - slept_from - 1.0))
            for task in self._tasks.values():
                TASK_ALIVE.labels(task=task.name).set(task.running and not task.pulse.missed)


def _answer(passed: bool, **said: Any) -> JSONResponse:
    return JSONResponse({"ok": passed, **said}, 200 if passed else 503)
