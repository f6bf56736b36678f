"""The command as a person runs it, against services over real HTTP, played or the real three."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from leadbus_cli.main import run as run_command
from leadbus_devstack import stack as stacks
from leadbus_devstack.servers import Servers
from leadbus_devstack.stack import Stack

from tests.support.fake_services import Fake

TOKEN_KEY = "a key for tests that is long enough to sign with"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command said. Whatever happened, it is no traceback."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def complaints(self) -> list[str]:
        return [line.removeprefix("leadbus: ") for line in self.err.splitlines()]


Leadbus = Callable[..., Ran]
Served = Callable[[Any], contextlib.AbstractContextManager[str]]


@pytest.fixture
def leadbus(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Leadbus:
    """Runs the command in an empty folder, with nothing in the environment that it reads."""
    for name in [name for name in os.environ if name.startswith("LEADBUS_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = run_command(list(arguments))
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert "internal error" not in said.err
        return Ran(code, said.out, said.err)

    return run


@pytest.fixture(scope="module")
def stack(servers: Servers, worker_label: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole system, empty, on the shared servers, under production rights."""
    folder = tmp_path_factory.mktemp("stack")
    name = f"cli-{worker_label}-{secrets.token_hex(3)}"
    stacks.migrate(servers.postgres_url, name)
    made = Stack(servers, folder / "logs", folder / "mail", name=name, takes_bounces=True)
    try:
        with stacks.running(made):
            yield made
    finally:
        made.remove()


@pytest.fixture
def cli(leadbus: Leadbus, stack: Stack) -> Leadbus:
    """The command where ``make up`` has left its endpoints."""
    folder = Path(".leadbus")
    folder.mkdir()
    (folder / "endpoints.json").write_text(stack.endpoints().as_json(), "utf-8")
    (folder / "token-key").write_text(stack.token_key.get_secret_value(), "utf-8")
    return leadbus


@pytest.fixture(scope="session")
def served() -> Served:
    """``with served(app) as url``: an ASGI application on a free port, in a thread of its own."""
    return _served


@contextlib.contextmanager
def _served(app: Any) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="on"))
    listening = threading.Event()
    startup = server.startup

    async def announced(*arguments: Any, **options: Any) -> None:
        await startup(*arguments, **options)
        listening.set()

    server.startup = announced  # type: ignore[method-assign]
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    assert listening.wait(20), "the application did not start"
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def running(served: Any) -> Iterator[dict[str, tuple[Fake, str]]]:
    fakes = {name: Fake() for name in ("ingest", "normalizer", "adf-mailer")}
    with contextlib.ExitStack() as ends:
        yield {name: (fake, ends.enter_context(served(fake))) for name, fake in fakes.items()}


@pytest.fixture
def fakes(
    running: dict[str, tuple[Fake, str]], leadbus: Any, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Fake]:
    monkeypatch.setenv("LEADBUS_TOKEN", "t")
    for name, (fake, url) in running.items():
        monkeypatch.setenv(f"LEADBUS_{name.upper().replace('-', '_')}_URL", url)
        fake.answers.clear()
        fake.asked.clear()
    return {name: fake for name, (fake, _) in running.items()}
