"""Everything between a source and a dealer's mail, running, and asked as an admin would."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from leadbus_devstack import stack as stacks
from leadbus_devstack.servers import Servers
from leadbus_devstack.stack import Stack

DEADLINE_SECONDS = 120.0


@dataclass
class House:
    """A dealer's; what is set up in it, each file says."""

    stack: Stack

    async def ask(self, service: str, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self.stack.token('admin')}"}
        async with httpx2.AsyncClient(base_url=self.stack.services[service].url, timeout=20) as http:
            answer = await http.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def put(self, service: str, kind: str, called: str, /, **spec: object) -> None:
        await self.ask(service, "PUT", f"/v1/settings/{kind}/{called}", {"spec": spec})

    async def items(self, service: str, path: str) -> list[Any]:
        return list((await self.ask(service, "GET", path))["items"])

    async def leadbus(self, *arguments: str) -> str:
        """What the command prints, run as a process where no other system's endpoints are found."""

        def run() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [Path(sys.executable).with_name("leadbus"), *arguments],
                env=dict(os.environ) | self.stack.endpoints().variables(),
                cwd=self.stack.logs,
                capture_output=True,
                text=True,
                timeout=DEADLINE_SECONDS,
                check=False,
            )

        done = await asyncio.to_thread(run)
        assert done.returncode == 0, f"leadbus {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def mailed(self, number: int) -> Callable[[], Awaitable[bool]]:
        """Whether so many mails have come, or more."""

        async def enough() -> bool:
            return len(self.stack.smtp.messages()) >= number

        return enough


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110 -- the condition is other processes'
            await asyncio.sleep(0.1)


@contextmanager
def running_stack(servers: Servers, folder: Path, worker_label: str, **more: Any) -> Iterator[Stack]:
    """A stack of its own on the shared servers, gone without a trace afterwards."""
    name = f"e2e-{worker_label}-{secrets.token_hex(3)}"
    stacks.migrate(servers.postgres_url, name)
    stack = Stack(servers, folder / "logs", folder / "mail", name=name, **more)
    try:
        with stacks.running(stack):
            yield stack
    finally:
        stack.remove()
