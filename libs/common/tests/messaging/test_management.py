"""MGM: what the management API answers where things change under its hands."""

from __future__ import annotations

import traceback
from typing import Any

import httpx2
import pytest
from leadbus.topology import TopologyError, management, vhost_of
from leadbus.topology.management import Management, ManagementError

ADDRESS = "http://u:s3cr#et@h"
"""No address, for the # in its password ends what could be one."""


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(management, "_PAUSES_SECONDS", (0, 0))


def answering(*statuses: int) -> tuple[Management, list[str]]:
    """An API that gives these answers in turn, and what it was asked."""
    waiting, asked = list(statuses), []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.method} {request.url.path}")
        return httpx2.Response(waiting.pop(0))

    made = Management("http://guest:guest@127.0.0.1:1", "/")
    made._client = httpx2.AsyncClient(base_url="http://127.0.0.1:1", transport=httpx2.MockTransport(answer))
    return made, asked


@pytest.mark.parametrize("statuses", [(204,), (500, 204), (500, 500, 204), (500, 404)])
async def test_mgm1_a_connection_that_ends_by_itself_is_asked_for_again(statuses: tuple[int, ...]) -> None:
    api, asked = answering(*statuses)
    await api.close_connections_of("a user")
    assert asked == ["DELETE /api/connections/username/a user"] * len(statuses)


async def test_mgm2_an_api_that_keeps_failing_is_said() -> None:
    api, asked = answering(500, 500, 500)
    with pytest.raises(ManagementError, match="500"):
        await api.close_connections_of("a")
    assert len(asked) == 3


async def test_mgm3_a_refusal_is_said_at_once() -> None:
    api, asked = answering(401)
    with pytest.raises(ManagementError, match="401"):
        await api.close_connections_of("a")
    assert len(asked) == 1


@pytest.mark.parametrize("read", [lambda url: Management(url, "/"), vhost_of], ids=["management", "AMQP"])
def test_mgm4_an_address_that_cannot_be_read_is_said_without_what_it_holds(read: Any) -> None:
    with pytest.raises((ManagementError, TopologyError), match="address cannot be read") as raised:
        read(ADDRESS)
    assert "s3cr" not in "".join(traceback.format_exception(raised.value))
