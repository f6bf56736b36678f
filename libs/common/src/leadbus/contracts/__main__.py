"""``python -m leadbus.contracts generate | check``: the published contracts follow the models."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from leadbus.contracts.publishing import files
from leadbus.contracts.publishing.breaking import Break


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all is well, 1 on drift or a breaking change, 2 when it was called wrongly."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "generate":
            return _generate(options.folder, allow_breaking=options.allow_breaking)
        return _check(options.folder, options.against)
    except subprocess.CalledProcessError as error:
        _say(f"git: {error.stderr.strip()}")
    except (OSError, ValueError) as error:
        _say(str(error))
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m leadbus.contracts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    generate = commands.add_parser("generate", help="write the documents")
    generate.add_argument(
        "--allow-breaking",
        action="store_true",
        help="write even what breaks readers of the present documents",
    )
    check = commands.add_parser("check", help="fail on drift and on breaking changes")
    check.add_argument("--against", metavar="REF", help="also compare with the documents of a Git revision")
    for command in (generate, check):
        command.add_argument("--folder", type=Path, default=Path("docs/contracts"))
    return parser


def _generate(folder: Path, *, allow_breaking: bool) -> int:
    wanted = files.rendered()
    broken = files.breaks(files.committed(folder), wanted)
    if broken and not allow_breaking:
        return _refuse(broken)
    for path in files.write(folder, wanted):
        _say(f"wrote {path}")
    return 0


def _check(folder: Path, against: str | None) -> int:
    wanted, present = files.rendered(), files.committed(folder)
    broken = files.breaks(present, wanted)
    if against is not None:
        broken += files.breaks(files.committed_at(folder, against), wanted)
    if broken:
        return _refuse(broken)
    drifted = files.drift(present, wanted)
    for path in drifted:
        _say(f"{folder / path} does not follow the models; run: python -m leadbus.contracts generate")
    return 1 if drifted else 0


def _refuse(broken: Sequence[Break]) -> int:
    for each in broken:
        _say(f"breaking change: {each}")
    _say("Inside a version only additions are safe; anything else is a new version of the event.")
    return 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    raise SystemExit(main())
