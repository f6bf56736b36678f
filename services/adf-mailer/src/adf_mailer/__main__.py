"""`python -m adf_mailer run | migrate | config | reference | openapi`."""

from typing import NoReturn

from leadbus import service

from adf_mailer.app import build
from adf_mailer.settings import AdfMailerSettings


def main() -> NoReturn:
    service.main(build, AdfMailerSettings)


if __name__ == "__main__":
    main()
