"""``leadbus publisher`` on a real broker, with an ingest that answers what it is told."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from leadbus.topology import apply
from leadbus.topology.management import Management, ManagementError
from leadbus.topology.publishers import PublisherUsers
from leadbus_devstack.servers import Servers
from leadbus_devstack.threads import run_apart
from leadbus_devstack.vhosts import Vhost, new_vhost
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

PROBLEMS = "https://leadbus.dev/problems"


class Ingest:
    """Keeps keys, unless `refuses` says what to answer instead; `loses` the answer to making one."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.refuses: dict[str, Response] = {}
        self.loses = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        request = Request(scope, receive)
        answer = self._answer(request.method, request.url.path.split("/"), await request.body())
        await answer(scope, receive, send)

    def _answer(self, method: str, path: list[str], body: bytes) -> Response:
        if path[-1] in self.refuses:
            return self.refuses[path[-1]]
        if method in self.refuses:
            return self.refuses[method]
        source = path[3]
        if path[-1] == "revoke":
            [key] = [key for key in self.keys if key["key_id"] == path[-2]]
            key["state"] = "revoked"
            return JSONResponse(key)
        if method == "POST":
            key = {"key_id": f"k{len(self.keys)}", "source": source, "state": "active", **json.loads(body)}
            self.keys.append(key)
            if self.loses:
                return Response("", 502)
            return JSONResponse({**key, "key": f"lbk_{key['key_id']}_secret"}, 201)
        return JSONResponse({"items": [key for key in self.keys if key["source"] == source]})

    @property
    def active(self) -> list[str]:
        return [key["key_id"] for key in self.keys if key["state"] == "active"]


def problem(status: int, slug: str, title: str) -> JSONResponse:
    return JSONResponse({"type": f"{PROBLEMS}/{slug}", "title": title, "status": status}, status)


@pytest.fixture
def ingest(served: Any, leadbus: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ingest]:
    fake = Ingest()
    with served(fake) as url:
        monkeypatch.setenv("LEADBUS_INGEST_URL", url)
        monkeypatch.setenv("LEADBUS_TOKEN", "t")
        yield fake


@pytest.fixture(scope="module")
def with_topology(servers: Servers, worker_label: str) -> Iterator[Vhost]:
    """One for all tests here: each has users of its own, and no test changes anything else."""
    made = new_vhost(servers.amqp_url, servers.management_url, f"{worker_label}-publisher")
    run_apart(lambda: apply(made.amqp_url, made.management_url))
    yield made
    made.delete()


@pytest.fixture
def broker(with_topology: Vhost, leadbus: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    prefix = f"t{secrets.token_hex(4)}."
    monkeypatch.setenv("LEADBUS_AMQP_URL", with_topology.amqp_url)
    monkeypatch.setenv("LEADBUS_MANAGEMENT_URL", with_topology.management_url)
    monkeypatch.setenv("LEADBUS_USER_PREFIX", prefix)
    broker = Broker(with_topology, prefix)
    yield broker
    for user in broker.users():
        with_topology.manage("DELETE", f"users/{user}")


class Broker:
    """The users of one test."""

    def __init__(self, vhost: Vhost, prefix: str) -> None:
        self.vhost = vhost
        self.prefix = prefix

    def users(self) -> dict[str, Any]:
        async def found() -> dict[str, Any]:
            async with Management(self.vhost.management_url, self.vhost.name) as management:
                return await management.users()

        return {name: user for name, user in asyncio.run(found()).items() if name.startswith(self.prefix)}


ADD = ("publisher", "add", "crm", "--source", "contactatonce")


def test_added_listed_and_removed(leadbus: Any, ingest: Ingest, broker: Broker) -> None:
    added = leadbus(*ADD, "--label", "held by Ann", "--json").json
    user = f"{broker.prefix}crm"
    assert (added["user"], added["source"], added["account"]) == (user, "contactatonce", "crm")
    assert ingest.keys[0]["account"] == "crm"
    assert added["key"] == "lbk_k0_secret"
    assert set(added["samples"]) == {"amqp", "http"}
    assert added["key"] not in "".join(added["samples"].values()), "a secret on a command line"
    [listed] = leadbus("publisher", "list", "--json").json["items"]
    assert listed == {
        "name": "crm",
        "user": user,
        "source": "contactatonce",
        "keys": ["k0"],
        "connections": 0,
        "rights": "as declared",
        "wrong": [],
    }
    removed = leadbus("publisher", "remove", "crm")
    assert removed.out.splitlines() == [f"user {user} removed, its connections ended", "key k0 revoked"]
    assert (broker.users(), ingest.active) == ({}, [])
    assert leadbus("publisher", "list").out == "none\n"


def test_two_of_one_account_do_not_touch_each_other(leadbus: Any, ingest: Ingest, broker: Broker) -> None:
    for name in ("crm", "crm-2"):
        leadbus("publisher", "add", name, "--source", "contactatonce", "--account", "main")
    leadbus("publisher", "remove", "crm")
    assert list(broker.users()) == [f"{broker.prefix}crm-2"]
    assert ingest.active == ["k1"]


def test_lost_rights_are_listed(leadbus: Any, ingest: Ingest, broker: Broker) -> None:
    leadbus(*ADD)
    broker.vhost.manage("DELETE", f"topic-permissions/{broker.vhost.name}/{broker.prefix}crm")
    assert "its topic permission is missing" in leadbus("publisher", "list").out


REFUSALS = {
    "token no admin": problem(403, "forbidden", "You may not do this"),
    "no token": problem(401, "unauthenticated", "A valid token is needed"),
    "source not set up": problem(404, "unknown-source", "There is no such source"),
    "account not served": problem(409, "conflict", "The source's setting does not name this account"),
    "database away": problem(503, "unavailable", "Not available"),
    "not ingest": Response("<html/>", 200),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_without_a_key_the_user_is_removed_again_and_it_says_so(
    leadbus: Any, ingest: Ingest, broker: Broker, why: str
) -> None:
    ingest.refuses["POST"] = REFUSALS[why]
    ran = leadbus(*ADD)
    assert (ran.code, ran.out) == (1, "")
    assert ran.complaints[0].startswith("ingest")
    assert ran.complaints[1:] == [f"user {broker.prefix}crm was removed again"]
    assert (broker.users(), ingest.active) == ({}, [])


def test_a_key_whose_answer_was_lost_is_revoked_again(leadbus: Any, ingest: Ingest, broker: Broker) -> None:
    ingest.loses = True
    ran = leadbus(*ADD)
    assert ran.code == 1
    assert ran.complaints[1:] == [f"user {broker.prefix}crm was removed again", "key k0 was revoked again"]
    assert (broker.users(), ingest.active) == ({}, [])


def test_when_its_rights_cannot_be_set_the_user_is_removed_again_and_no_key_made(
    leadbus: Any, ingest: Ingest, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise ManagementError("PUT /api/topic-permissions/crm: ConnectError")

    with monkeypatch.context() as patched:
        patched.setattr(Management, "set_topic_permission", away)
        patched.setattr(Management, "delete_user", away)
        left = leadbus(*ADD)
    with monkeypatch.context() as patched:
        patched.setattr(Management, "set_topic_permission", away)
        assert leadbus("publisher", "remove", "crm").code == 0
        removed = leadbus(*ADD)
    assert left.complaints[0] == removed.complaints[0]
    assert "PUT /api/topic-permissions/crm: ConnectError" in left.complaints[0]
    assert "`leadbus publisher remove crm`" in left.complaints[1]
    assert removed.complaints[1:] == [f"user {broker.prefix}crm was removed again"]
    assert (broker.users(), ingest.keys) == ({}, [])


def test_when_the_user_cannot_be_enabled_the_key_is_revoked_again(
    leadbus: Any, ingest: Ingest, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise ManagementError("PUT /api/users/crm: ConnectError")

    monkeypatch.setattr(PublisherUsers, "enable", away)
    ran = leadbus(*ADD)
    assert ran.complaints == [
        "the broker's management API did not do it: PUT /api/users/crm: ConnectError",
        f"user {broker.prefix}crm was removed again",
        "key k0 was revoked again",
    ]
    assert (broker.users(), ingest.active) == ({}, [])


def test_what_could_not_be_undone_is_said_and_remove_completes_it(
    leadbus: Any, ingest: Ingest, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise ManagementError("PUT /api/users/crm: ConnectError")

    ingest.refuses["revoke"] = problem(503, "unavailable", "Not available")
    with monkeypatch.context() as patched:
        patched.setattr(PublisherUsers, "enable", away)
        patched.setattr(PublisherUsers, "remove", away)
        ran = leadbus(*ADD)
    assert len(ran.complaints) == 3
    assert all("leadbus publisher remove crm" in line for line in ran.complaints[1:])
    assert not broker.users()[f"{broker.prefix}crm"]["password_hash"], "left, but nobody can log in"
    ingest.refuses.clear()
    assert leadbus("publisher", "remove", "crm").code == 0
    assert (broker.users(), ingest.active) == ({}, [])


def test_remove_revokes_keys_of_a_user_that_is_gone(leadbus: Any, ingest: Ingest, broker: Broker) -> None:
    leadbus(*ADD)
    broker.vhost.manage("DELETE", f"users/{broker.prefix}crm")
    assert leadbus("publisher", "remove", "crm").out == "key k0 revoked\n"
    again = leadbus("publisher", "remove", "crm")
    assert again.complaints == [f"the broker has no user {broker.prefix}crm"]


@pytest.mark.parametrize("ingest_url", ["http://127.0.0.1:1", ""], ids=["away", "not said"])
def test_remove_takes_the_user_without_ingest_and_a_second_one_the_keys(
    leadbus: Any, ingest: Ingest, broker: Broker, monkeypatch: pytest.MonkeyPatch, ingest_url: str
) -> None:
    leadbus(*ADD)
    with monkeypatch.context() as patched:
        patched.setenv("LEADBUS_INGEST_URL", ingest_url)
        ran = leadbus("publisher", "remove", "crm")
        again = leadbus("publisher", "remove", "crm")
    assert (ran.code, again.code, broker.users(), ingest.active) == (1, 1, {}, ["k0"])
    assert ran.complaints[0] == f"user {broker.prefix}crm removed, its connections ended"
    assert again.complaints[0] == f"the broker has no user {broker.prefix}crm"
    for each in (ran, again):
        assert "ingest" in each.complaints[1]
        assert "`leadbus publisher remove crm` again" in each.complaints[2]
    assert leadbus("publisher", "remove", "crm").out == "key k0 revoked\n"
    assert ingest.active == []


def test_remove_revokes_no_key_of_a_user_that_it_could_not_remove(
    leadbus: Any, ingest: Ingest, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise ManagementError("DELETE /api/users/crm: ConnectError")

    leadbus(*ADD)
    with monkeypatch.context() as patched:
        patched.setattr(Management, "delete_user", away)
        ran = leadbus("publisher", "remove", "crm")
    assert (ran.code, len(ran.complaints)) == (1, 1)
    assert (list(broker.users()), ingest.active) == ([f"{broker.prefix}crm"], ["k0"])
    assert leadbus("publisher", "remove", "crm").code == 0
    assert (broker.users(), ingest.active) == ({}, [])


def test_without_ingest_only_what_needs_a_key_is_refused_and_nothing_made(
    leadbus: Any, ingest: Ingest, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEADBUS_INGEST_URL")
    ran = leadbus(*ADD)
    assert (ran.code, len(ran.complaints), broker.users()) == (1, 1, {})
    assert "where is ingest?" in ran.complaints[0]
    assert leadbus(*ADD, "--no-key").code == 0
    assert list(broker.users()) == [f"{broker.prefix}crm"]


def test_a_publisher_is_told_where_its_script_is(leadbus: Any, ingest: Ingest, broker: Broker) -> None:
    said = leadbus(*ADD).out.splitlines()
    assert "python publish.py --account crm contactatonce lead.json" in said
    assert [line for line in said if "docs/contracts/examples/publish.py of the Leadbus repository" in line]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("crm", "--source", "nobody"), "there is no source nobody: contactatonce", id="source"),
        pytest.param(("Crm", "--source", "bdk"), "is no name for a publisher", id="upper case"),
        pytest.param(("", "--source", "bdk"), "is no name for a publisher", id="empty"),
        pytest.param(("a" * 64, "--source", "bdk"), "is no name for a publisher", id="long"),
        pytest.param(("a/b", "--source", "bdk"), "is no name for a publisher", id="slash"),
        pytest.param(("a b", "--source", "bdk"), "is no name for a publisher", id="space"),
        pytest.param(("crm\n", "--source", "bdk"), "is no name for a publisher", id="line end"),
        pytest.param(("ünì", "--source", "bdk"), "is no name for a publisher", id="letters of others"),
        pytest.param(("ingest", "--source", "bdk"), "is the name of a service", id="service"),
        pytest.param(("guest", "--source", "bdk"), "is the name of a service", id="administrator"),
    ],
)
def test_bad_names_and_sources(
    leadbus: Any, ingest: Ingest, broker: Broker, arguments: tuple[str, ...], said: str
) -> None:
    ran = leadbus("publisher", "add", *arguments)
    assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)
    assert said in ran.complaints[0]
    assert (broker.users(), ingest.keys) == ({}, [])


def test_a_taken_name_is_said_and_its_holder_untouched(leadbus: Any, ingest: Ingest, broker: Broker) -> None:
    leadbus(*ADD)
    before = broker.users()
    ran = leadbus(*ADD)
    assert (ran.code, len(ran.complaints)) == (1, 1)
    assert f"has a user {broker.prefix}crm already" in ran.complaints[0]
    assert (broker.users(), ingest.active) == (before, ["k0"])


def test_a_user_that_is_no_publishers_is_left_alone(leadbus: Any, ingest: Ingest, broker: Broker) -> None:
    broker.vhost.manage("PUT", f"users/{broker.prefix}person", {"password": "x", "tags": ""})
    ran = leadbus("publisher", "remove", "person")
    assert ran.complaints == [f"user {broker.prefix}person is no publisher's and was left alone"]
    assert f"{broker.prefix}person" in broker.users()


def test_before_the_topology_it_says_what_to_do(
    leadbus: Any, ingest: Ingest, broker: Broker, clean_vhost: Vhost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADBUS_AMQP_URL", clean_vhost.amqp_url)
    ran = leadbus(*ADD)
    assert "leadbus topology apply" in ran.complaints[0]
    assert broker.users() == {}


@pytest.mark.parametrize("command", [ADD, ("publisher", "list"), ("publisher", "remove", "crm")], ids=str)
def test_no_broker_no_management_no_rights(
    leadbus: Any, ingest: Ingest, broker: Broker, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    address = httpx2.URL(broker.vhost.management_url)
    plain = f"{broker.prefix}plain"
    broker.vhost.manage("PUT", f"users/{plain}", {"password": "x", "tags": "management"})
    for management_url, said in (
        ("http://127.0.0.1:1", "ConnectError"),
        (str(address.copy_with(username="nobody", password="x")), "401"),
        (str(address.copy_with(username=plain, password="x")), "has no tag administrator"),
    ):
        monkeypatch.setenv("LEADBUS_MANAGEMENT_URL", management_url)
        ran = leadbus(*command)
        assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)
        assert said in ran.complaints[0]
    monkeypatch.delenv("LEADBUS_MANAGEMENT_URL")
    assert "where is the broker?" in leadbus(*command).complaints[0]


def test_without_a_key_no_ingest_is_asked(leadbus: Any, ingest: Ingest, broker: Broker) -> None:
    ingest.refuses["POST"] = Response("", 500)
    added = leadbus("publisher", "add", "feed", "--source", "bdk", "--no-key", "--json").json
    assert added["key"] is None
    assert set(added["samples"]) == {"amqp"}
