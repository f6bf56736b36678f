"""`python -m leadbus.web generate|check [PACKAGE ...] [--file docs/problems.md]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from leadbus import generated
from leadbus.web.reference import document


def main(argv: Sequence[str] | None = None) -> int:
    return generated.run("leadbus.web", "docs/problems.md", lambda _packages: document(), argv)


if __name__ == "__main__":
    sys.exit(main())
