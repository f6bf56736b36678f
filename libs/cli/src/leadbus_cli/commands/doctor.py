"""``leadbus doctor``: all that is wrong with a deployment, at once.

What knows the broker is imported by the command: it takes long.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from leadbus_cli.deployment import Deployment
from leadbus_cli.output import Json, heading, hush_libraries, print_json, say, table

if TYPE_CHECKING:
    from leadbus_cli.doctor.findings import Finding, Level


def doctor(
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, max=300, help="Seconds for each single question.")
    ] = 10.0,
    no_users: Annotated[
        bool, typer.Option("--no-users", help="Do not look at broker users: somebody else makes them.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say all that is wrong with a deployment.

    Looks at services, broker, databases, rights, clocks and tokens. Exit code 1 when anything is wrong.
    """
    from leadbus_cli.doctor.asking import ask
    from leadbus_cli.doctor.findings import Level
    from leadbus_cli.doctor.judging import judge

    hush_libraries()
    seen = asyncio.run(ask(Deployment.find(), timeout_seconds=timeout, with_users=not no_users))
    findings = judge(seen)
    groups = {level: [each for each in findings if each.level is level] for level in Level}
    if as_json:
        counts = {str(level): len(found) for level, found in groups.items()}
        print_json({"counts": counts, "findings": [asdict(each) for each in findings]})
    else:
        _tell(groups)
    if groups[Level.WRONG]:
        raise typer.Exit(1)


def _tell(groups: dict[Level, list[Finding]]) -> None:
    for level, found in groups.items():
        if found:
            heading(f"{level.upper()} ({len(found)})")
            columns = ["check", "subject", "found"] + (["do"] if level != "ok" else [])
            table([asdict(each) for each in found], columns, indent="  ")
    if all(level == "ok" for level, found in groups.items() if found):
        say("all is well")
