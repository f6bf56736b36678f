"""`python -m ingest run | migrate | config | reference | openapi`."""

from typing import NoReturn

from leadbus import service

from ingest.app import build
from ingest.settings import IngestSettings


def main() -> NoReturn:
    service.main(build, IngestSettings)


if __name__ == "__main__":
    main()
