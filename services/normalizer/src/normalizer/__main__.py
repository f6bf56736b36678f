"""`python -m normalizer run | migrate | config | reference | openapi`."""

from __future__ import annotations

from typing import NoReturn

from leadbus.service import main as run_command

from normalizer.app import build
from normalizer.settings import NormalizerSettings


def main() -> NoReturn:
    run_command(build, NormalizerSettings)


if __name__ == "__main__":
    main()
