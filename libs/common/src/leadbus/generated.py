"""Pages of the documentation that are drawn from declarations in the code: written, or compared."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

_NOT_IMPORTED = ("__main__", ".migrations", ".versions", ".tests")


def run(
    module: str, page: str, draw: Callable[[Sequence[str]], str], argv: Sequence[str] | None = None
) -> int:
    """The command line `python -m MODULE generate|check [PACKAGE ...] [--file PAGE]`; its exit code.

    `draw` gets the packages, imported, and makes the page.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("action", choices=("generate", "check"))
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="default: leadbus and every service")
    parser.add_argument("--file", type=Path, default=Path(page))
    arguments = parser.parse_args(argv)
    packages = arguments.packages or workspace_packages(Path())
    collect(packages)
    drawn = draw(packages)
    if arguments.action == "generate":
        arguments.file.write_text(drawn, encoding="utf-8")
    elif not arguments.file.is_file() or arguments.file.read_text(encoding="utf-8") != drawn:
        sys.stderr.write(f"{arguments.file} differs from the code: run python -m {module} generate\n")
        return 1
    return 0


def collect(packages: Iterable[str]) -> None:
    """Import every module of the packages, so that all they declare is declared."""
    for package in packages:
        root = importlib.import_module(package)
        for found in pkgutil.walk_packages(root.__path__, prefix=f"{package}."):
            if not any(part in found.name for part in _NOT_IMPORTED):
                importlib.import_module(found.name)


def workspace_packages(root: Path) -> list[str]:
    """`leadbus` and the packages below `services` of a checkout."""
    return ["leadbus", *sorted(found.parent.name for found in root.glob("services/*/src/*/__init__.py"))]
