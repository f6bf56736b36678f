"""Doing what was planned, one setting after the other, each only in the state in which it was seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leadbus_cli.errors import CliError
from leadbus_cli.settings.plan import Options, Step


def carry_out(steps: Sequence[Step], options: Options, done: Callable[[Step], None]) -> None:
    """Calls ``done`` after each. Raises CliError that says how far it came; running again does the rest."""
    changes = [step for step in steps if step.action != "unchanged"]
    for count, step in enumerate(changes):
        try:
            _do(step, options)
        except CliError as error:
            raise CliError(
                *(f"{step}: {line}" for line in error.lines),
                f"{count} of {len(changes)} changes are made; run it again for the rest",
            ) from None
        done(step)


def _do(step: Step, options: Options) -> None:
    address = ("v1", "settings", step.kind.name, step.name)
    condition = {"If-None-Match": "*"} if step.etag is None else {"If-Match": f'"{step.etag}"'}
    take_over = options.take_over or None
    if step.wanted is None:
        query = {"managed_by": options.manager, "take_over": take_over}
        step.kind.owner.request("DELETE", *address, query=query, headers=condition)
    else:
        body = {"spec": step.wanted.spec, "managed_by": options.manager}
        query = {"take_over": take_over}
        step.kind.owner.request("PUT", *address, query=query, body=body, headers=condition)
