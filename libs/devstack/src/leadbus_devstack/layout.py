"""Where things of this checkout live."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from leadbus_devstack.errors import DevstackError


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below `root`; everything that is written stays below `root/.leadbus`."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / ".leadbus"

    @property
    def logs(self) -> Path:
        """Logs of `make up`."""
        return self.state / "logs"

    @property
    def endpoints(self) -> Path:
        return self.state / "endpoints.json"

    @property
    def environment(self) -> Path:
        """The endpoints as a shell reads them."""
        return self.state / "env"

    @property
    def mail(self) -> Path:
        """Mail received while `make up` runs."""
        return self.state / "mail"

    @property
    def data(self) -> Path:
        """Data of the servers of `make up`, kept between runs."""
        return self.state / "data"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives; holds its process id."""
        return self.state / "supervisor.lock"

    @property
    def supervisor_log(self) -> Path:
        return self.logs / "supervisor.log"

    @property
    def demo(self) -> Path:
        """Logs and mail of the last demo."""
        return self.state / "demo"

    @property
    def demo_result(self) -> Path:
        return self.state / "demo.json"

    @property
    def compose(self) -> Path:
        return self.root / "deploy" / "compose" / "servers.yml"

    @property
    def example_publisher(self) -> Path:
        """The documentation's own client for publishers outside."""
        return self.root / "docs" / "contracts" / "examples" / "publish.py"

    @property
    def examples(self) -> Path:
        return self.root / "examples"


def find_layout() -> Layout:
    """LEADBUS_ROOT, else the checkout that this package is installed from. Raises DevstackError."""
    given = os.environ.get("LEADBUS_ROOT")
    candidates = (
        [Path(given)] if given else [*Path(__file__).resolve().parents, *Path.cwd().parents, Path.cwd()]
    )
    for candidate in candidates:
        if (candidate / "uv.lock").exists() and (candidate / "services").is_dir():
            return Layout(candidate.resolve())
    raise DevstackError("not inside a Leadbus checkout; set LEADBUS_ROOT to one")
