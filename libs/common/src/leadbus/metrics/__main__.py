"""`python -m leadbus.metrics generate|check [PACKAGE ...] [--file docs/metrics.md]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from leadbus import generated
from leadbus.metrics.reference import document


def main(argv: Sequence[str] | None = None) -> int:
    return generated.run("leadbus.metrics", "docs/metrics.md", document, argv)


if __name__ == "__main__":
    sys.exit(main())
