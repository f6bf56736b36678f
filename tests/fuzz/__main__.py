"""`python -m tests.fuzz [TARGET …] [--seconds N]`: exit code 1 when a promise was broken.

An input that broke one is left under `.leadbus/fuzz/found/` and shown again by `--show FILE`. What was tried
and led somewhere stays in `.leadbus/fuzz/corpus/`, and the next run begins with it.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.targets import TARGETS

HOME = Path(".leadbus/fuzz")


def main(words: Sequence[str]) -> int:
    options = _options(words)
    if options.show is not None:
        return _show(options.show)
    if importlib.util.find_spec("atheris") is None:
        print(
            "atheris is not installed: `make fuzz` brings it where it exists (Linux, x86-64)", file=sys.stderr
        )
        return 2
    broken = [name for name in options.targets or list(TARGETS) if not _fuzz(name, options.seconds)]
    for name in broken:
        print(f"{name}: a promise was broken; see {HOME}/found and {HOME}/{name}.log")
    return 1 if broken else 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET", help=", ".join(TARGETS)
    )
    parser.add_argument("--seconds", type=int, default=60, help="of each target (default: 60)")
    parser.add_argument("--show", type=Path, metavar="FILE", help="read an input that was found, once")
    return parser.parse_args(words)


def _fuzz(name: str, seconds: int) -> bool:
    """Whether nothing was found."""
    found, log = HOME / "found", HOME / f"{name}.log"
    found.mkdir(parents=True, exist_ok=True)
    places = (str(HOME / "corpus" / name), str(found))
    command = [sys.executable, "-m", "tests.fuzz.engine", name, *places, str(seconds)]
    with log.open("wb") as output:
        ended = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    lines = log.read_text(errors="replace").splitlines()
    runs = next((line.rpartition(" ")[2] for line in lines if "number_of_executed_units" in line), "?")
    print(f"{name}: {runs} inputs in {seconds} s, {'nothing found' if ended.returncode == 0 else 'FOUND'}")
    return ended.returncode == 0


def _show(file: Path) -> int:
    name = next((name for name in sorted(TARGETS, key=len, reverse=True) if file.name.startswith(name)), None)
    if name is None:
        print(f"{file.name}: its name begins with no target's: {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    TARGETS[name].read(file.read_bytes())
    print(f"{name}: reads it well")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
