"""`python -m leadbus.web generate|check [PACKAGE ...] [--file docs/problems.md]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from leadbus.metrics.reference import collect, workspace_packages
from leadbus.web.reference import document


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m leadbus.web")
    parser.add_argument("action", choices=("generate", "check"))
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="default: leadbus and every service")
    parser.add_argument("--file", type=Path, default=Path("docs/problems.md"))
    arguments = parser.parse_args(argv)
    packages = arguments.packages or workspace_packages(Path())
    collect(packages)
    generated = document()
    if arguments.action == "generate":
        arguments.file.write_text(generated, encoding="utf-8")
    elif not arguments.file.is_file() or arguments.file.read_text(encoding="utf-8") != generated:
        sys.stderr.write(f"{arguments.file} differs from the code: run python -m leadbus.web generate\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
