"""What is left of a supervisor that was killed."""

from __future__ import annotations

from pathlib import Path

from leadbus_devstack.layout import Layout
from leadbus_devstack.supervisor import down
from rich.console import Console


def test_down_withdraws_the_endpoints_of_a_killed_supervisor(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir()
    layout.lock.write_text("4194304")
    layout.endpoints.write_text("{}")
    layout.environment.write_text("")

    with (tmp_path / "said").open("w") as said:
        assert down(layout, Console(file=said)) == 0

    assert not layout.endpoints.exists()
    assert not layout.environment.exists()
