"""`python -m leadbus.metrics generate|check [--file docs/metrics.md] [PACKAGE ...]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from leadbus.metrics.reference import collect, document


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m leadbus.metrics")
    parser.add_argument("action", choices=("generate", "check"))
    parser.add_argument(
        "packages", nargs="*", metavar="PACKAGE", help="default: leadbus and services/*/src/*"
    )
    parser.add_argument("--file", type=Path, default=Path("docs/metrics.md"))
    arguments = parser.parse_args()
    collect(arguments.packages or ["leadbus", *_services()])
    generated = document()
    if arguments.action == "generate":
        arguments.file.write_text(generated, encoding="utf-8")
    elif not arguments.file.is_file() or arguments.file.read_text(encoding="utf-8") != generated:
        sys.stderr.write(f"{arguments.file} differs from the code: run python -m leadbus.metrics generate\n")
        return 1
    return 0


def _services() -> list[str]:
    return sorted(found.parent.name for found in Path("services").glob("*/src/*/__init__.py"))


if __name__ == "__main__":
    sys.exit(main())
