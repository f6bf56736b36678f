"""Long acts by command, against services that answer what they are told."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from leadbus_cli import acts
from leadbus_cli.api import ServiceApi
from leadbus_cli.errors import Away
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

JOB_ID = "5f3ab1c6-5a57-4a27-9d6b-2f2f0f5c9b01"
UNKNOWN = "00000000-0000-0000-0000-000000000000"
HELD_ID = "0123456789abcdef0123456789abcdef"
QUEUE = "normalizer.raw"


def job(**more: Any) -> dict[str, Any]:
    return {
        "id": JOB_ID,
        "kind": "parked.redrive",
        "state": "planned",
        "filter": {"queue": QUEUE, "all": True},
        "dealers": None,
        "reason": None,
        "batch_size": 50,
        "rate_per_second": 50.0,
        "total": 3,
        "done": 0,
        "failed": 0,
        "left_out": 0,
        "remaining": 3,
        "last_error": None,
        "sample": [{"id": HELD_ID, "message_id": "m-1", "routing_key": "raw.bdk", "size_bytes": 7}],
        "planned_by": "olga",
        "planned_at": "2026-04-14T16:03:07Z",
        "run_by": None,
        "end_reason": None,
        "failures": [],
        "acts": [],
    } | more


def problem(status: int, slug: str, title: str) -> JSONResponse:
    document = {"type": f"https://leadbus.dev/problems/{slug}", "title": title, "status": status}
    return JSONResponse(document, status)


class Fake:
    """A service with one job that goes the way a test says."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.planned = job()
        self.way: list[dict[str, Any] | Response] = [
            job(state="running", done=1, remaining=2),
            job(state="done", done=3, remaining=0),
        ]
        self.starts: Response = JSONResponse(job(state="running"), 202)
        self.asked: list[tuple[str, Any]] = []
        self.watching: Callable[[], None] = lambda: None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        request = Request(scope, receive)
        body = await request.body()
        key = f"{request.method} {request.url.path}"
        self.asked.append((key, json.loads(body) if body else None))
        answer = self._answer(key)
        response = answer if isinstance(answer, Response) else JSONResponse(answer)
        await response(scope, receive, send)

    def _answer(self, key: str) -> Any:
        match key.removeprefix("GET ").removeprefix("POST ").split("/")[2:]:
            case ["parked"]:
                return {"items": [{"queue": QUEUE, "messages": 3}]}
            case ["jobs"] if key.startswith("POST"):
                return JSONResponse(self.planned, 201)
            case ["jobs"]:
                return {"items": [self.planned], "next_cursor": None}
            case ["jobs", id_] if id_ == JOB_ID:
                return self.way.pop(0) if len(self.way) > 1 else self.way[0]
            case ["jobs", id_, "run"] if id_ == JOB_ID:
                return self.starts
            case ["jobs", id_, "cancel"] if id_ == JOB_ID:
                return JSONResponse(job(state="cancelled"), 202)
        return problem(404, "not-found", "Not found")

    @property
    def acted(self) -> list[str]:
        return [key.rpartition("/")[2] for key, _ in self.asked if key.endswith(("/run", "/cancel"))]

    @property
    def plan(self) -> Any:
        return next(body for key, body in self.asked if key == "POST /v1/jobs")


@pytest.fixture(scope="module")
def running(served: Any) -> Iterator[tuple[Fake, str]]:
    fake = Fake()
    with contextlib.ExitStack() as ends:
        yield fake, ends.enter_context(served(fake))


@pytest.fixture
def service(running: tuple[Fake, str], leadbus: Any, monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake, url = running
    fake.reset()
    monkeypatch.setenv("LEADBUS_TOKEN", "t")
    for name in ("INGEST", "NORMALIZER", "ADF_MAILER"):
        monkeypatch.setenv(f"LEADBUS_{name}_URL", url)
    monkeypatch.setattr(acts, "_POLL_SECONDS", 0.01)
    return fake


REDRIVE = ("parked", "redrive", QUEUE, "--all")


def test_planned_shown_run_and_watched(leadbus: Any, service: Fake) -> None:
    ran = leadbus(*REDRIVE, "--yes", "--batch-size", "7", "--rate", "2.5")
    assert (ran.code, ran.err) == (0, "")
    for said in ("parked.redrive", "m-1", "running: 1 done, 0 failed, 2 remaining", "done: 3 done, 0 failed"):
        assert said in ran.out
    assert ["id", JOB_ID] in [line.split() for line in ran.out.splitlines()], "by which it is found again"
    assert service.acted == ["run"]
    assert service.plan == {
        "kind": "parked.redrive",
        "filter": {"queue": QUEUE, "all": True},
        "batch_size": 7,
        "rate_per_second": 2.5,
    }


def test_json_is_one_document(leadbus: Any, service: Fake) -> None:
    ran = leadbus(*REDRIVE, "--yes", "--json")
    assert (ran.code, ran.json["state"], ran.json["done"]) == (0, "done", 3)


def test_nobody_to_ask(leadbus: Any, service: Fake) -> None:
    for more in ((), ("--json",)):
        ran = leadbus(*REDRIVE, *more)
        assert (ran.code, len(ran.complaints)) == (1, 1)
        assert f"leadbus jobs run {JOB_ID}" in ran.complaints[0]
    assert service.acted == []


@pytest.mark.parametrize(("agreed", "acted", "code"), [(True, ["run"], 0), (False, ["cancel"], 1)])
def test_asked(
    leadbus: Any,
    service: Fake,
    monkeypatch: pytest.MonkeyPatch,
    agreed: bool,
    acted: list[str],
    code: int,
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("leadbus_cli.acts.typer.confirm", lambda *_, **__: agreed)
    assert leadbus(*REDRIVE).code == code
    assert service.acted == acted


def test_ctrl_c_leaves_the_job_running_and_says_so(
    leadbus: Any, service: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("leadbus_cli.acts.time.sleep", pressed)
    ran = leadbus(*REDRIVE, "--yes")
    assert (ran.code, len(ran.complaints)) == (130, 1)
    assert f"job {JOB_ID} goes on" in ran.complaints[0]
    assert service.acted == ["run"]


def test_nothing_to_do(leadbus: Any, service: Fake) -> None:
    service.planned = job(total=0, remaining=0, sample=[])
    ran = leadbus(*REDRIVE)
    assert (ran.code, ran.err, service.acted) == (0, "", ["cancel"])
    assert "nothing to do" in ran.out


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (job(state="done", done=2, failed=1, remaining=0, last_error="KeyError"), "1 of 3 failed"),
        (job(state="done", done=1, remaining=2), "2 of 3 had no turn"),
        (job(state="failed", end_reason="no_queue"), "the job is failed (no_queue)"),
        (job(state="cancelled", end_reason=None), "the job is cancelled;"),
    ],
    ids=["some failed", "some had no turn", "broke", "cancelled"],
)
def test_an_end_that_is_not_good_is_an_exit_code(
    leadbus: Any, service: Fake, end: dict[str, Any], said: str
) -> None:
    service.way = [end]
    ran = leadbus(*REDRIVE, "--yes")
    assert (ran.code, len(ran.complaints)) == (1, 1)
    assert said in ran.complaints[0]
    as_json = leadbus(*REDRIVE, "--yes", "--json")
    assert (as_json.code, as_json.json["state"]) == (1, end["state"])


@pytest.mark.parametrize(
    ("command", "kind", "filter_"),
    [
        (("parked", "redrive", QUEUE, "--id", HELD_ID), "parked.redrive", {"queue": QUEUE, "ids": [HELD_ID]}),
        (("parked", "redrive", f"{QUEUE}.parked", "--all"), "parked.redrive", {"queue": QUEUE, "all": True}),
        (
            ("parked", "discard", QUEUE, "--all", "--reason", "r"),
            "parked.discard",
            {"queue": QUEUE, "all": True},
        ),
        (("unrouted", "redrive", "--all"), "unrouted.redrive", {"all": True}),
        (("unrouted", "discard", "--id", HELD_ID, "--reason", "r"), "unrouted.discard", {"ids": [HELD_ID]}),
        (
            ("deliveries", "redrive", "--phase", "failed", "--dealer", "d", "--planned-before", "t"),
            "deliveries.redrive",
            {"phase": "failed", "dealer": "d", "planned_before": "t"},
        ),
        (
            ("deliveries", "redrive", "--phase", "delivered", "--repeat"),
            "deliveries.redrive",
            {"phase": "delivered", "repeat": True},
        ),
        (
            ("quarantine", "replay", "--reason", "payload_invalid", "--source", "bdk"),
            "quarantine.replay",
            {"reason": "payload_invalid", "source": "bdk"},
        ),
        (("quarantine", "replay", "--all"), "quarantine.replay", {"all": True}),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_every_act_is_a_job(
    leadbus: Any, service: Fake, command: tuple[str, ...], kind: str, filter_: dict[str, Any]
) -> None:
    assert leadbus(*command, "--yes").code == 0
    assert (service.plan["kind"], service.plan["filter"]) == (kind, filter_)
    assert service.plan.get("reason") == ("r" if "--reason" in command and kind.endswith("discard") else None)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("parked", "redrive", QUEUE), "which messages?"),
        (("parked", "redrive", QUEUE, "--all", "--id", HELD_ID), "which messages?"),
        (("parked", "redrive", "normalizer.none", "--all"), "there is no queue"),
        (("parked", "redrive", "nobody.queue", "--all"), "there is no queue"),
        (("parked", "list", "nobody"), "there is no queue"),
        (("parked", "show", QUEUE, HELD_ID), "there is no message"),
        (("unrouted", "show", HELD_ID), "there is no message"),
        (("unrouted", "redrive"), "which messages?"),
        (("deliveries", "redrive"), "which deliveries?"),
        (("deliveries", "redrive", UNKNOWN, "--phase", "failed"), "which deliveries?"),
        (("quarantine", "replay"), "which entries?"),
        (("quarantine", "replay", UNKNOWN, "--all"), "which entries?"),
        (("jobs", "show", UNKNOWN), "there is no job"),
        (("jobs", "run", "nonsense"), "there is no job"),
        (("jobs", "cancel", UNKNOWN), "there is no job"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",
)
def test_what_makes_no_sense_is_one_line(
    leadbus: Any, service: Fake, command: tuple[str, ...], said: str
) -> None:
    ran = leadbus(*command)
    assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)
    assert said in ran.complaints[0]
    assert service.acted == []


@pytest.mark.parametrize("command", [("parked", "discard", QUEUE, "--all"), ("unrouted", "discard", "--all")])
def test_a_discard_without_a_reason_is_called_wrongly(
    leadbus: Any, service: Fake, command: tuple[str, ...]
) -> None:
    assert leadbus(*command, "--yes").code == 2
    assert service.asked == []


@pytest.mark.parametrize("more", [("--rate", "0"), ("--rate", "fast"), ("--batch-size", "0")], ids=" ".join)
def test_a_rate_or_size_that_makes_no_sense(leadbus: Any, service: Fake, more: tuple[str, ...]) -> None:
    assert leadbus(*REDRIVE, *more).code == 2


def test_jobs_listed_shown_and_cancelled(
    leadbus: Any, service: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEADBUS_INGEST_URL")
    monkeypatch.delenv("LEADBUS_ADF_MAILER_URL")
    listed = leadbus("jobs", "list", "--json").json["items"]
    assert [(one["service"], one["id"]) for one in listed] == [("normalizer", JOB_ID)]
    failures = [{"id": HELD_ID, "code": "KeyError"}]
    done_by = [{"at": "2026-04-14T16:03:07Z", "actor": "olga", "action": "job.run", "detail": {}}]
    service.way = [job(state="done", failures=failures, acts=done_by)]
    shown = leadbus("jobs", "show", JOB_ID)
    assert shown.code == 0
    for said in ("parked.redrive", "KeyError", "olga", "job.run"):
        assert said in shown.out
    assert leadbus("jobs", "cancel", JOB_ID).code == 0
    assert service.acted == ["cancel"]


def test_a_service_that_is_away_hides_no_other(
    leadbus: Any, service: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEADBUS_ADF_MAILER_URL")
    monkeypatch.setenv("LEADBUS_INGEST_URL", "http://127.0.0.1:1")
    for command in (("jobs", "list"), ("parked", "list")):
        ran = leadbus(*command, "--json")
        assert (ran.code, [one["service"] for one in ran.json["items"]]) == (1, ["normalizer"])
        assert ran.complaints == ["ingest at http://127.0.0.1:1 does not answer (ConnectError)"]
    assert leadbus("jobs", "show", JOB_ID).code == 0
    nowhere = leadbus("jobs", "show", UNKNOWN)
    assert (nowhere.code, nowhere.complaints[1]) == (1, f"there is no job {UNKNOWN} where it could be asked")


def test_failed_and_had_no_turn_are_both_said(leadbus: Any, service: Fake) -> None:
    service.way = [job(state="done", done=1, failed=1, remaining=1, last_error="KeyError")]
    ran = leadbus(*REDRIVE, "--yes")
    assert (ran.code, len(ran.complaints)) == (1, 2)


DATABASE_AWAY = problem(503, "unavailable", "The database does not answer just now")
AWAY = {
    "database": DATABASE_AWAY,
    "proxy": Response("<html/>", 502),
    "proxy that waited": Response("<html/>", 504),
}


@pytest.mark.parametrize("answer", AWAY.values(), ids=AWAY)
def test_a_service_whose_database_is_away_hides_no_other(
    leadbus: Any, service: Fake, served: Any, monkeypatch: pytest.MonkeyPatch, answer: Response
) -> None:
    monkeypatch.delenv("LEADBUS_ADF_MAILER_URL")
    with served(answer_always(answer)) as url:
        monkeypatch.setenv("LEADBUS_INGEST_URL", url)
        for command in (("jobs", "list"), ("parked", "list")):
            ran = leadbus(*command, "--json")
            assert (ran.code, [one["service"] for one in ran.json["items"]]) == (1, ["normalizer"])
            [complaint] = ran.complaints
            assert complaint.startswith("ingest: ")
        assert leadbus("jobs", "show", JOB_ID).code == 0
        assert leadbus("jobs", "run", JOB_ID).code == 0
        assert leadbus("jobs", "cancel", JOB_ID).code == 0
    assert service.acted == ["run", "cancel"]


def answer_always(answer: Response) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await answer(scope, receive, send)
            return
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    return app


@pytest.mark.parametrize("answer", AWAY.values(), ids=AWAY)
def test_a_service_whose_database_comes_back_is_waited_for(
    leadbus: Any, service: Fake, answer: Response
) -> None:
    service.way.insert(1, answer)
    ran = leadbus(*REDRIVE, "--yes")
    assert (ran.code, ran.err) == (0, "")
    assert "the job goes on when it is back" in ran.out


@pytest.mark.parametrize("step", ["run", "watch"])
@pytest.mark.parametrize("more", [(), ("--json",)], ids=["text", "json"])
def test_a_job_whose_service_went_away_is_named(
    leadbus: Any, service: Fake, monkeypatch: pytest.MonkeyPatch, step: str, more: tuple[str, ...]
) -> None:
    if step == "run":
        service.starts = DATABASE_AWAY
    service.way = [DATABASE_AWAY]
    monkeypatch.setattr(acts, "_AWAY_SECONDS", -1.0)
    ran = leadbus(*REDRIVE, "--yes", *more)
    assert (ran.code, len(ran.complaints)) == (1, 2)
    assert "The database does not answer just now" in ran.complaints[0]
    assert f"job {JOB_ID}" in ran.complaints[1]
    assert f"`leadbus jobs show {JOB_ID}`" in ran.complaints[1]


def test_a_service_that_restarts_is_waited_for(
    leadbus: Any, service: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    get, times = ServiceApi.get, 0

    def away_once(self: ServiceApi, *path: str, **query: Any) -> Any:
        nonlocal times
        if path[:2] == ("v1", "jobs") and len(path) == 3:
            times += 1
            if times == 2:
                raise Away("normalizer does not answer")
        return get(self, *path, **query)

    monkeypatch.setattr(ServiceApi, "get", away_once)
    ran = leadbus(*REDRIVE, "--yes")
    assert (ran.code, ran.err) == (0, "")
    assert "the job goes on when it is back" in ran.out
