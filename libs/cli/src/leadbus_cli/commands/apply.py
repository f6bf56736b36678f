"""``leadbus apply``: settings from files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from leadbus_cli.deployment import Deployment
from leadbus_cli.output import Json, print_json, say, shown
from leadbus_cli.settings.carry_out import carry_out
from leadbus_cli.settings.files import read_documents
from leadbus_cli.settings.kinds import owned_kinds
from leadbus_cli.settings.plan import Options, Step, draw

_MARKS = {"created": "+", "changed": "~", "deleted": "-"}


def apply(
    files: Annotated[
        list[Path], typer.Option("--file", "-f", help="File or folder of YAML documents; may be repeated.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, change nothing.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what this manager keeps and the files no longer name.")
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Also change what somebody else keeps, and keep it from now on."),
    ] = False,
    manager: Annotated[str, typer.Option("--manager", help="Who keeps these settings.")] = "git",
    as_json: Json = False,
) -> None:
    """Make the services' settings what the files say.

    All documents are checked by their services first; when one is wrong, nothing is changed. Applying the
    same files again changes nothing.
    """
    options = Options(manager=manager, prune=prune, take_over=take_over)
    wanted = read_documents(files)
    steps = draw(wanted, owned_kinds(Deployment.find().all()), options)
    if as_json:
        if not dry_run:
            carry_out(steps, options, lambda _: None)
        print_json(_report(steps, dry_run=dry_run))
        return
    if dry_run:
        for step in steps:
            _tell(step)
    else:
        carry_out(steps, options, _tell)
    counts = Counter(step.action for step in steps)
    told = ", ".join(f"{counts[action]} {action}" for action in (*_MARKS, "unchanged") if counts[action])
    say(f"{'would be: ' if dry_run else ''}{told}")


def _tell(step: Step) -> None:
    if step.action == "unchanged":
        return
    say(f"{_MARKS[step.action]} {step} {step.action}{f' ({step.wanted.place()})' if step.wanted else ''}")
    if step.action == "deleted":
        return
    for each in step.diff:
        name = _field(each)
        before, after = shown(each["before"]), shown(each["after"])
        if step.action != "created" and (before or after):
            say(f"    {name}: {before or '(none)'} -> {after or '(none)'}")
        elif after:
            say(f"    {name}: {after}")
    for notice in step.notices:
        say(f"    warning: {_field(notice)}: {notice['detail']}")


def _field(of: Mapping[str, Any]) -> str:
    return str(of["pointer"]).lstrip("/").replace("/", ".")


def _report(steps: Sequence[Step], *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "changes": [
            {
                "kind": step.kind.name,
                "name": step.name,
                "service": step.kind.owner.name,
                "action": step.action,
                "diff": list(step.diff),
                "notices": list(step.notices),
                "place": str(step.wanted.place()) if step.wanted else None,
            }
            for step in steps
        ],
        "summary": dict(Counter(step.action for step in steps)),
    }
