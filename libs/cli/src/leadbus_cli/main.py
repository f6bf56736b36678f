"""Entry point of the ``leadbus`` command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from leadbus_cli.commands import (
    adf,
    apply,
    bdk,
    consent,
    deliveries,
    destinations,
    doctor,
    jobs,
    leads,
    parked,
    publisher,
    quarantine,
    source_keys,
    token,
    topology,
    unrouted,
    virtualexpo,
)
from leadbus_cli.errors import CliError
from leadbus_cli.output import complain

app = typer.Typer(
    name="leadbus",
    help="Set up, look at and act on a Leadbus deployment.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(topology.app, name="topology")
app.add_typer(publisher.app, name="publisher")
app.command("apply")(apply.apply)
app.add_typer(leads.app, name="lead")
app.add_typer(consent.app, name="consent")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(adf.app, name="adf")
app.add_typer(destinations.app, name="destinations")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(parked.app, name="parked")
app.add_typer(unrouted.app, name="unrouted")
app.add_typer(jobs.app, name="jobs")
app.add_typer(source_keys.app, name="source")
app.add_typer(virtualexpo.app, name="virtualexpo")
app.add_typer(bdk.app, name="bdk")
app.add_typer(token.app, name="token")
app.command("doctor")(doctor.doctor)


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 done, 1 something did not work (said in one line), 2 called wrongly."""
    try:
        app(arguments, prog_name="leadbus")
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 1
    except CliError as error:
        for line in error.lines:
            complain(line)
        return 1
    except Exception as error:
        if os.environ.get("LEADBUS_DEBUG"):
            raise
        complain(f"internal error: {type(error).__name__} (LEADBUS_DEBUG=1 shows where)")
        return 1
    return 0


def main() -> None:
    """The console script."""
    sys.exit(run())


if __name__ == "__main__":
    main()
