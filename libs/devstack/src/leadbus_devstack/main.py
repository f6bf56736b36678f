"""`python -m leadbus_devstack up|down|status|demo`"""

from __future__ import annotations

import argparse
import sys

from leadbus_devstack.errors import DevstackError
from leadbus_devstack.layout import find_layout
from leadbus_devstack.progress import console
from leadbus_devstack.signals import Ended, ending_in_order


def main() -> None:
    """Exit code 0 when it worked, 1 when not, 128 + n when signal n ended it."""
    parser = argparse.ArgumentParser(prog="leadbus-devstack", description="Leadbus on this machine.")
    parser.add_argument("act", choices=["up", "down", "status", "demo", "supervise"])
    act = parser.parse_args().act
    out = console()
    try:
        with ending_in_order():
            sys.exit(_run(act))
    except DevstackError as error:
        out.print(f"[red]✗[/red] {act}", end=": ", highlight=False)
        out.print(error.explain(), highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
    except Ended as ended:
        sys.exit(0 if act == "supervise" else ended.exit_code)


def _run(act: str) -> int:
    # Imported when needed: `down` and `status` answer at once.
    layout, out = find_layout(), console()
    if act == "demo":
        from leadbus_devstack.demo.run import demo

        return demo(layout, out)
    from leadbus_devstack import supervisor

    if act == "supervise":
        supervisor.supervise(layout, out)
        return 0
    return {"up": supervisor.up, "down": supervisor.down, "status": supervisor.show}[act](layout, out)


if __name__ == "__main__":
    main()
