"""`demo`, `up` and `down` as a person runs them, in a checkout whose `.leadbus` is the test's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from leadbus_devstack.layout import find_layout
from leadbus_devstack.resolve import AMQP_URL, MANAGEMENT_URL, POSTGRES_URL
from leadbus_devstack.servers import Servers

pytestmark = pytest.mark.timeout(300)

_SHARED = ("uv.lock", "services", "examples", "docs", "deploy")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    real = find_layout().root
    for name in _SHARED:
        (tmp_path / name).symlink_to(real / name)
    return tmp_path


@pytest.fixture
def environment(checkout: Path, servers: Servers) -> dict[str, str]:
    """Servers of the run, so that the tests cost services only."""
    return dict(os.environ) | {
        "LEADBUS_ROOT": str(checkout),
        AMQP_URL: servers.amqp_url,
        MANAGEMENT_URL: servers.management_url,
        POSTGRES_URL: servers.postgres_url,
    }


def run(act: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "leadbus_devstack", act]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)


def of_checkout(checkout: Path) -> list[str]:
    """Command lines of living processes that name this checkout, or are told of it by their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environ = (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if str(checkout).encode() in environ + command:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def eventually(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def demo_vhosts(servers: Servers) -> set[str]:
    answer = httpx2.get(f"{servers.management_url}/api/vhosts").raise_for_status().json()
    return {vhost["name"] for vhost in answer if vhost["name"].startswith("leadbus-demo")}


DEMO = [
    ("contactatonce", "ClickForCallBack", "HTTP"),
    ("contactatonce", "Chat", "HTTP"),
    ("contactatonce", "TextToChat", "queue"),
    ("contactatonce", "TrackedCall", "queue"),
    *(("virtualexpo", category, "fetched") for category in ("request", "prospect", "visit")),
    *(("bdk", kind, "notified") for kind in ("1e", "2c", "3d", "5a", "6b", "7f", "8a")),
    ("bdk", "mailed", "mail"),
    *(("alfatrack", kind, "HTTP") for kind in ("email", "form", "phone", "chat", "offline")),
    ("adf", "posted", "HTTP"),
    ("adf", "published", "queue"),
    ("adf", "mailed", "mail"),
    ("adf", "twin", "mail"),
]


def test_the_demo_shows_every_source_and_leaves_nothing(
    checkout: Path, environment: dict[str, str], servers: Servers
) -> None:
    before = demo_vhosts(servers)
    demo = run("demo", environment)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    leads = json.loads((checkout / ".leadbus" / "demo.json").read_text())["leads"]
    assert [(lead["source"], lead["lead"], lead["way_in"]) for lead in leads] == DEMO
    for lead in leads:
        assert lead["arrived"]
        assert lead["matches"]
        assert lead["seconds"] >= 0
        mail = (checkout / lead["mail_file"]).read_bytes()
        assert lead["message_id"].encode() in mail
        assert lead["message_id"] in demo.stdout
        assert lead["external_id"].encode() in mail
    assert len({lead["message_id"] for lead in leads}) == len(DEMO)
    assert demo.stdout.count("enriched: it came by") == 2
    assert "AX-34 and VX-7001 name each other: possible_duplicate" in demo.stdout
    assert of_checkout(checkout) == []
    assert demo_vhosts(servers) <= before


def test_an_interrupted_demo_leaves_nothing(
    checkout: Path, environment: dict[str, str], servers: Servers
) -> None:
    command = [sys.executable, "-m", "leadbus_devstack", "demo"]
    demo = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert demo.stdout is not None
    line = next(line for line in demo.stdout if "broker users" in line)
    assert line
    mine = demo_vhosts(servers)
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=60)
    assert demo.returncode == 128 + signal.SIGINT
    assert eventually(lambda: of_checkout(checkout) == [])
    assert not mine <= demo_vhosts(servers)


def endpoints(checkout: Path) -> dict[str, Any]:
    content = json.loads((checkout / ".leadbus" / "endpoints.json").read_text())
    assert isinstance(content, dict)
    return content


@pytest.fixture
def up(checkout: Path, environment: dict[str, str]) -> Iterator[subprocess.CompletedProcess[str]]:
    yield run("up", environment)
    run("down", environment)


def test_up_stays_up_heals_and_goes_down(
    checkout: Path, environment: dict[str, str], up: subprocess.CompletedProcess[str]
) -> None:
    assert up.returncode == 0, up.stdout + up.stderr
    first = endpoints(checkout)
    for service in first["services"].values():
        assert service["url"] in up.stdout
        assert httpx2.get(f"{service['url']}/readyz").status_code == 200
    assert set(first["tokens"]) == {"viewer", "operator", "admin"}
    for name in ("endpoints.json", "env", "token-key"):
        assert (checkout / ".leadbus" / name).stat().st_mode & 0o077 == 0, "secrets are the owner's alone"

    again = run("up", environment)
    assert again.returncode == 0
    assert "already up" in again.stdout

    victim = first["services"]["normalizer"]
    os.kill(victim["pid"], signal.SIGKILL)
    assert eventually(lambda: endpoints(checkout)["services"]["normalizer"]["pid"] != victim["pid"])
    assert eventually(lambda: _ready(victim["url"]))

    down = run("down", environment)
    assert down.returncode == 0, down.stdout + down.stderr
    assert of_checkout(checkout) == []
    assert not (checkout / ".leadbus" / "endpoints.json").exists()
    assert run("status", environment).returncode == 1
    assert "nothing is up" in run("down", environment).stdout


def _ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").status_code == 200
    except httpx2.HTTPError:
        return False


@pytest.mark.full
def test_a_failed_start_shows_the_log_and_leaves_nothing(checkout: Path, environment: dict[str, str]) -> None:
    (checkout / "examples").unlink()
    (checkout / "examples").mkdir()
    (checkout / "examples" / "broken.yaml").write_text("kind: Nonsense\nmetadata: {name: x}\nspec: {}\n")
    up = run("up", environment)
    assert up.returncode == 1
    assert "Nonsense" in up.stdout
    assert of_checkout(checkout) == []
