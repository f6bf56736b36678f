"""``leadbus jobs``: long acts (redrive, replay, discard), planned, running and ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from leadbus_cli import acts
from leadbus_cli.api import ServiceApi, of_each
from leadbus_cli.deployment import Deployment
from leadbus_cli.errors import CliError
from leadbus_cli.identifiers import uuid_of
from leadbus_cli.output import Json, Limit, facts, heading, listing, print_json, say, table

app = typer.Typer(help="Redrives, replays and discards that take long.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="ID", help="Id of the job.")]
_COLUMNS = (
    "service",
    "id",
    "kind",
    "state",
    "total",
    "done",
    "failed",
    "left_out",
    "remaining",
    "planned_by",
    "planned_at",
)
_APART = frozenset({"sample", "failures", "acts"})


@app.command("list")
def list_(
    kind: Annotated[str | None, typer.Option("--kind", help="Such as parked.redrive.")] = None,
    state: Annotated[
        str | None, typer.Option("--state", help="planned, running, done, cancelled or failed.")
    ] = None,
    service: Annotated[str | None, typer.Option("--service", help="Only this service's.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Jobs, the newest first."""
    deployment = Deployment.find()
    asked = [deployment.service(service)] if service else deployment.all()
    found, missing = of_each(
        asked,
        lambda one: [
            {"service": one.name, **job}
            for job in one.items("v1", "jobs", limit=limit, kind=kind, state=state)
        ],
    )
    found.sort(key=lambda job: str(job["planned_at"]), reverse=True)
    listing(found[:limit], _COLUMNS, as_json=as_json)
    if missing:
        raise CliError(*missing)


@app.command("show")
def show(job_id: JobId, as_json: Json = False) -> None:
    """How far a job is, what failed in it, and who did what."""
    service, job = _found(job_id)
    if as_json:
        print_json({"service": service.name, **job})
        return
    facts({"service": service.name, **{name: job[name] for name in job if name not in _APART}})
    for part, columns in (("failures", ("id", "code")), ("acts", ("at", "actor", "action"))):
        if job[part]:
            heading(part)
            table(job[part], columns, indent="  ")


@app.command("run")
def run(job_id: JobId, as_json: Json = False) -> None:
    """Start a planned job and watch it. ctrl-C stops watching, not the job."""
    service, _ = _found(job_id)
    acts.run(service, job_id, as_json=as_json)


@app.command("cancel")
def cancel(job_id: JobId, as_json: Json = False) -> None:
    """Stop after the batch in hand. What was done stays done."""
    service, _ = _found(job_id)
    job = service.post("v1", "jobs", job_id, "cancel")
    if as_json:
        print_json({"service": service.name, **job})
    else:
        say(acts.described(job) if job["state"] != "running" else "it stops after the batch in hand")


def _found(job_id: str) -> tuple[ServiceApi, Mapping[str, Any]]:
    if uuid_of(job_id) is None:
        raise CliError(f"there is no job {job_id}")

    def asked(service: ServiceApi) -> list[tuple[ServiceApi, Mapping[str, Any]]]:
        job = service.find("v1", "jobs", job_id)
        return [] if job is None else [(service, job)]

    found, missing = of_each(Deployment.find().all(), asked)
    if not found:
        raise CliError(
            *missing, f"there is no job {job_id}" + (" where it could be asked" if missing else "")
        )
    return found[0]
