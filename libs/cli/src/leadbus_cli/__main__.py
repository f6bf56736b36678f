"""``python -m leadbus_cli``."""

from __future__ import annotations

from leadbus_cli.main import main

main()
