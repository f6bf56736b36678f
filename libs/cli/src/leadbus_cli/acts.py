"""A long act from its plan to its end: shown, agreed to, run, watched."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from leadbus_cli.api import ServiceApi
from leadbus_cli.errors import Away, CliError
from leadbus_cli.output import complain, facts, print_json, say, table

BatchSize = Annotated[
    int,
    typer.Option(
        "--batch-size", min=1, max=500, help="So many at a time; cancelling takes effect between two batches."
    ),
]
Rate = Annotated[
    float,
    typer.Option(
        "--rate", min=0.1, max=1000.0, help="At most so many a second; 10 is gentle on the other side."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_POLL_SECONDS = 1.0
_AWAY_SECONDS = 120.0
_INTERRUPTED = 130
"""As shells say that somebody pressed ctrl-C."""
_PLAN = ("id", "kind", "filter", "dealers", "reason", "total", "left_out", "batch_size", "rate_per_second")
_OPEN = ("planned", "running")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a long act is to go, as its options say."""

    batch_size: int
    rate_per_second: float
    yes: bool = field(kw_only=True)
    as_json: bool = field(kw_only=True)


def plan_and_run(
    service: ServiceApi, kind: str, filter_: Mapping[str, Any], manner: Manner, reason: str | None = None
) -> None:
    """Plan, show, ask, run, watch. Raises CliError when anything of it failed or nobody agreed."""
    as_json = manner.as_json
    pace = {"batch_size": manner.batch_size, "rate_per_second": manner.rate_per_second}
    asked = {"kind": kind, "filter": filter_, **pace, **given(reason=reason)}
    planned = service.post("v1", "jobs", body=asked)
    if not as_json:
        _show_plan(planned)
    if planned["remaining"] == 0:
        ended = service.post("v1", "jobs", planned["id"], "cancel")
        print_json(ended) if as_json else say("nothing to do")
        return
    if not manner.yes and not _agreed(planned, as_json=as_json):
        service.post("v1", "jobs", planned["id"], "cancel")
        raise CliError("nothing was touched")
    run(service, planned["id"], as_json=as_json)


def run(service: ServiceApi, job_id: str, *, as_json: bool) -> None:
    """Start a planned job and watch it to its end. Raises CliError unless everything of it went well."""
    try:
        service.post("v1", "jobs", job_id, "run")
        ended = _watch(service, job_id, quiet=as_json)
    except Away as error:
        raise CliError(
            *error.lines,
            f"how far job {job_id} is, is not known, and it may go on: `leadbus jobs show {job_id}`",
        ) from None
    except KeyboardInterrupt:
        complain(
            f"job {job_id} goes on; see `leadbus jobs show {job_id}`, stop it with `leadbus jobs cancel`"
        )
        raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        print_json(ended)
    judge(ended)


def judge(job: Mapping[str, Any]) -> None:
    """Raises CliError unless everything of an ended job went well."""
    job_id = job["id"]
    if job["state"] != "done":
        why = f" ({job['end_reason']})" if job["end_reason"] else ""
        raise CliError(f"the job is {job['state']}{why}; leadbus jobs show {job_id}")
    left = []
    if job["failed"]:
        left.append(
            f"{job['failed']} of {job['total']} failed and stay where they are, the last with"
            f" {job['last_error']}; leadbus jobs show {job_id}"
        )
    if job["remaining"]:
        left.append(
            f"{job['remaining']} of {job['total']} had no turn (gone, out of reach, or being looked at):"
            f" plan again; leadbus jobs show {job_id}"
        )
    if left:
        raise CliError(*left)


def described(job: Mapping[str, Any]) -> str:
    """Where a job stands, in one line."""
    left_out = f", {job['left_out']} left out" if job["left_out"] else ""
    return (
        f"{job['state']}: {job['done']} done, {job['failed']} failed{left_out}, {job['remaining']} remaining"
    )


def given(**filters: Any) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in filters.items() if value not in (None, False)}


def _show_plan(planned: Mapping[str, Any]) -> None:
    facts({name: planned[name] for name in _PLAN})
    if planned["sample"]:
        say("for example:")
        table(planned["sample"], tuple(planned["sample"][0]), indent="  ")


def _agreed(planned: Mapping[str, Any], *, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        raise CliError(
            f"planned as {planned['id']}, nothing was touched: repeat with --yes,"
            f" or `leadbus jobs run {planned['id']}` within the hour"
        )
    return typer.confirm(f"{planned['kind']} for {planned['remaining']}?", default=False)


def _watch(service: ServiceApi, job_id: str, *, quiet: bool) -> dict[str, Any]:
    said, last_answer = "", time.monotonic()
    while True:
        try:
            job: dict[str, Any] = service.get("v1", "jobs", job_id)
            last_answer = time.monotonic()
        except Away:
            if time.monotonic() - last_answer > _AWAY_SECONDS:
                raise
            job = {}
        line = described(job) if job else f"{service.name} does not answer; the job goes on when it is back"
        if line != said and not quiet:
            say(line)
            said = line
        if job and job["state"] not in _OPEN:
            return job
        time.sleep(_POLL_SECONDS)
