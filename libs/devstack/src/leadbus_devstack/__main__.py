"""`python -m leadbus_devstack`."""

from __future__ import annotations

from leadbus_devstack.main import main

main()
