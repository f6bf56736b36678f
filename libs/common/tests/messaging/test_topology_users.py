"""Making the broker's users: the order, the passwords, and what is left when it is interrupted."""

from __future__ import annotations

import asyncio
import secrets
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiormq
import httpx2
import pytest
from leadbus.topology import (
    USERS,
    Applied,
    CredentialsDirectory,
    GivenCredentials,
    TopologyError,
    Users,
    apply,
    credentials_at,
)
from leadbus.topology import applying as applying_module
from leadbus.topology.accounts import Accounts, Declared, unguarded
from leadbus.topology.credentials import has_password
from leadbus.topology.granting import Users as Wanted
from leadbus.topology.management import Management, ManagementError
from leadbus.topology.publishers import PublisherUsers
from leadbus.topology.users import NO_RIGHTS
from leadbus_devstack.vhosts import Vhost
from yarl import URL

NAMES = tuple(user.name for user in USERS)
GIVEN = GivenCredentials({name: f"given-{name}" for name in NAMES})


@pytest.fixture
async def prefix(clean_vhost: Vhost) -> AsyncIterator[str]:
    """A name for the users of this test; they belong to the whole broker and are deleted after it."""
    mine = f"t{secrets.token_hex(4)}."
    yield mine
    async with Management(clean_vhost.management_url, clean_vhost.name) as management:
        for user in await management.users():
            if user.startswith(mine):
                await management.delete_user(user)


@pytest.fixture
async def management(clean_vhost: Vhost) -> AsyncIterator[Management]:
    async with Management(clean_vhost.management_url, clean_vhost.name) as management:
        yield management


async def make(vhost: Vhost, users: Users) -> Applied:
    return await apply(vhost.amqp_url, vhost.management_url, users=users)


async def logs_in(vhost: Vhost, user: str, password: str) -> bool:
    try:
        connection = await aiormq.connect(str(URL(vhost.amqp_url).with_user(user).with_password(password)))
    except aiormq.exceptions.AMQPError:
        return False
    await connection.close()
    return True


async def everybody(management: Management, prefix: str) -> dict[str, Any]:
    """All that the broker keeps about the users of this test."""
    accounts = await Accounts.of(management)
    return {
        user: (found, accounts.permissions.get(user), accounts.topics.get(user))
        for user, found in accounts.users.items()
        if user.startswith(prefix)
    }


async def test_given_passwords_log_in_and_again_changes_nothing(
    clean_vhost: Vhost, management: Management, prefix: str
) -> None:
    first = await make(clean_vhost, Users(GIVEN, prefix))
    assert first.users == len(USERS)
    assert first.changes == tuple(f"{prefix}{name}: created" for name in NAMES)
    assert first.surplus == ()
    for name in NAMES:
        assert await logs_in(clean_vhost, prefix + name, f"given-{name}")
    before = await everybody(management, prefix)
    second = await make(clean_vhost, Users(GIVEN, prefix))
    assert second.changes == ()
    assert await everybody(management, prefix) == before
    assert (await make(clean_vhost, Users(prefix=prefix))).changes == (), (
        "passwords are kept without any given"
    )


@pytest.mark.parametrize("prefix_of", ["", "other."])
async def test_without_users_none_is_touched(
    clean_vhost: Vhost, management: Management, prefix: str, prefix_of: str
) -> None:
    applied = await apply(clean_vhost.amqp_url, clean_vhost.management_url)
    assert (applied.users, applied.changes) == (0, ())
    assert await everybody(management, prefix + prefix_of) == {}


async def test_everything_that_is_missing_is_said_before_anything_is_changed(
    clean_vhost: Vhost, management: Management, prefix: str
) -> None:
    some = GivenCredentials({"ingest": "given"})
    with pytest.raises(TopologyError) as caught:
        await make(clean_vhost, Users(some, prefix, rotate=frozenset({"nobody"})))
    assert "user normalizer is not there and none is given" in str(caught.value)
    assert "user adf-mailer is not there" in str(caught.value)
    assert "no user nobody to rotate" in str(caught.value)
    assert await everybody(management, prefix) == {}
    assert await management.queues() == {}


async def test_a_given_password_that_is_not_the_brokers_is_said(
    clean_vhost: Vhost, management: Management, prefix: str
) -> None:
    await make(clean_vhost, Users(GIVEN, prefix))
    other = GivenCredentials({**{name: f"given-{name}" for name in NAMES}, "normalizer": "another"})
    with pytest.raises(
        TopologyError, match=r"password given for normalizer is not the one that it has.*rotate"
    ):
        await make(clean_vhost, Users(other, prefix))
    rotated = await make(clean_vhost, Users(other, prefix, rotate=frozenset({"normalizer"})))
    assert rotated.changes == (f"{prefix}normalizer: new password",)
    assert await logs_in(clean_vhost, f"{prefix}normalizer", "another")
    assert not await logs_in(clean_vhost, f"{prefix}normalizer", "given-normalizer")
    assert await logs_in(clean_vhost, f"{prefix}ingest", "given-ingest")


async def test_generated_passwords_are_kept_privately_and_rotated_alone(
    clean_vhost: Vhost, management: Management, prefix: str, tmp_path: Path
) -> None:
    kept = tmp_path / "secrets" / "broker"
    await make(clean_vhost, Users(credentials_at(kept, generate=True), prefix))
    passwords = {name: (kept / name).read_text().strip() for name in NAMES}
    assert len(set(passwords.values())) == len(NAMES)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert sorted(path.name for path in kept.iterdir()) == sorted(NAMES)
    for name, password in passwords.items():
        assert stat.S_IMODE((kept / name).stat().st_mode) == 0o600
        assert await logs_in(clean_vhost, prefix + name, password)
    again = await make(clean_vhost, Users(credentials_at(kept, generate=True), prefix, frozenset({"ingest"})))
    assert again.changes == (f"{prefix}ingest: new password",)
    rotated = (kept / "ingest").read_text().strip()
    assert rotated != passwords["ingest"]
    assert await logs_in(clean_vhost, f"{prefix}ingest", rotated)
    assert not await logs_in(clean_vhost, f"{prefix}ingest", passwords["ingest"])
    assert (kept / "normalizer").read_text().strip() == passwords["normalizer"]
    (kept / "normalizer").unlink()
    lost = await make(clean_vhost, Users(credentials_at(kept, generate=True), prefix))
    assert lost.changes == (
        f"{prefix}normalizer: keeps its password, which is not where generated ones are kept",
    )


async def test_a_rotation_cut_short_after_the_broker_is_settled_by_the_next_run(
    clean_vhost: Vhost, management: Management, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(clean_vhost, Users(CredentialsDirectory(tmp_path, generate=True), prefix))
    monkeypatch.setattr(CredentialsDirectory, "settle", _killed)
    with pytest.raises(KeyboardInterrupt):
        await make(
            clean_vhost,
            Users(CredentialsDirectory(tmp_path, generate=True), prefix, rotate=frozenset({"ingest"})),
        )
    monkeypatch.undo()
    await make(clean_vhost, Users(CredentialsDirectory(tmp_path, generate=True), prefix))
    assert await logs_in(clean_vhost, f"{prefix}ingest", (tmp_path / "ingest").read_text().strip())


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


class Interrupted:
    """Management calls that change users; the nth one fails, and before it the broker is looked at."""

    def __init__(self, management: Management, prefix: str, fails_at: int) -> None:
        self.calls = 0
        self._management = management
        self._prefix = prefix
        self._fails_at = fails_at

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("put_user", "set_permission", "set_topic_permission", "close_connections_of"):
            monkeypatch.setattr(Management, name, self._counted(getattr(Management, name)))

    def _counted(self, call: Any) -> Any:
        async def counted(management: Management, *arguments: Any) -> Any:
            self.calls += 1
            if self.calls == self._fails_at:
                raise ManagementError("cut here")
            answer = await call(management, *arguments)
            await nobody_is_unguarded(self._management, self._prefix)
            return answer

        return counted


async def nobody_is_unguarded(management: Management, prefix: str) -> None:
    accounts = await Accounts.of(management)
    declared = Declared.on(accounts, prefix)
    exchanges = await management.exchanges()
    loose = [
        user
        for user in unguarded(accounts, declared)
        # Without the exchange there is nothing to write to.
        if declared.rights[user].write[0] in exchanges and accounts.users[user]["password_hash"]
    ]
    assert loose == []


BROKEN = ("nothing yet", "exchange and topic permission lost", "all rights", "administrator")


async def break_(management: Management, vhost: Vhost, user: str, how: str) -> None:
    if how == "exchange and topic permission lost":
        # What RabbitMQ 4.3 does to topic permissions when their exchange goes.
        await _api(vhost, "DELETE", f"topic-permissions/{vhost.name}/{user}")
        await _api(vhost, "DELETE", f"exchanges/{vhost.name}/leadbus.raw")
    elif how == "all rights":
        await management.set_permission(user, {"configure": ".*", "write": ".*", "read": ".*"})
        await _api(vhost, "DELETE", f"topic-permissions/{vhost.name}/{user}")
    elif how == "administrator":
        await management.put_user(user, {"password": "given-ingest", "tags": "administrator"})


async def _api(vhost: Vhost, method: str, path: str) -> None:
    await asyncio.to_thread(vhost.manage, method, path)


@pytest.mark.parametrize("how", BROKEN)
async def test_wherever_it_is_cut_nobody_is_unguarded_and_the_next_run_completes_it(
    clean_vhost: Vhost, management: Management, prefix: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step of making and of mending one user, each once as the last that was done."""
    alone = Wanted(GIVEN, prefix, declared=USERS[:1])
    user = f"{prefix}ingest"
    declare = applying_module._declare

    async def watched(*arguments: Any) -> None:
        await declare(*arguments)
        await nobody_is_unguarded(management, prefix)

    fails_at = 0
    while True:
        fails_at += 1
        with monkeypatch.context() as patched:
            if how != "nothing yet":
                await make(clean_vhost, alone)
                await break_(management, clean_vhost, user, how)
            else:
                await management.delete_user(user)
            interrupted = Interrupted(management, prefix, fails_at)
            interrupted.install(patched)
            patched.setattr(applying_module, "_declare", watched)
            outcome = (await asyncio.gather(make(clean_vhost, alone), return_exceptions=True))[0]
            assert isinstance(outcome, Applied) or "cut here" in str(outcome)
        await make(clean_vhost, alone)
        accounts = await Accounts.of(management)
        assert accounts.permission(user) == USERS[0].rights.permission
        assert accounts.topics[user] == USERS[0].rights.topic_permissions
        assert accounts.users[user]["tags"] == []
        assert await logs_in(clean_vhost, user, "given-ingest")
        if interrupted.calls < fails_at:
            break
    assert fails_at > 2, "nothing was cut: the test proves nothing"


async def test_rights_that_were_widened_are_taken_back_from_open_channels_too(
    clean_vhost: Vhost, management: Management, prefix: str, eventually: Any
) -> None:
    await make(clean_vhost, Users(GIVEN, prefix))
    user = f"{prefix}adf-mailer"
    await management.set_permission(user, {"configure": "^$", "write": ".*", "read": "^$"})
    url = URL(clean_vhost.amqp_url).with_user(user).with_password("given-adf-mailer")
    connection = await aiormq.connect(str(url))
    channel = await connection.channel()
    await channel.basic_publish(b"x", exchange="leadbus.raw", routing_key="raw.bdk")
    applied = await make(clean_vhost, Users(GIVEN, prefix))
    (change,) = applied.changes
    assert change.startswith(f"{user}: rights corrected (user {user} may write '.*', ")
    # A channel that was allowed once is not asked again: only a new connection is.
    await eventually(lambda: bool(connection.is_closed))


async def test_strangers_and_rights_elsewhere_are_named_and_left_alone(
    clean_vhost: Vhost, management: Management, prefix: str
) -> None:
    await make(clean_vhost, Users(GIVEN, prefix))
    stranger = f"{prefix}stranger"
    await management.put_user(stranger, {"password": "x", "tags": ""})
    await management.set_permission(stranger, {"configure": "^$", "write": "^leadbus", "read": "^$"})
    await management.set_topic_permission(
        f"{prefix}normalizer", "leadbus.raw", {"write": "^a$", "read": "^$"}
    )
    applied = await make(clean_vhost, Users(GIVEN, prefix))
    assert applied.surplus == (
        f"user {stranger} may use the virtual host (configure '^$', write '^leadbus', read '^$')",
        f"user {prefix}normalizer also has a topic permission on leadbus.raw",
    )


async def test_a_publishers_rights_are_restored_from_what_its_user_says(
    clean_vhost: Vhost, management: Management, prefix: str
) -> None:
    await make(clean_vhost, Users(GIVEN, prefix))
    publishers = PublisherUsers(management, prefix)
    user = await publishers.free("crm")
    await publishers.prepare(user, "bdk")
    await publishers.enable(user, "bdk", "its password")
    await _api(clean_vhost, "DELETE", f"topic-permissions/{clean_vhost.name}/{user}")
    applied = await make(clean_vhost, Users(GIVEN, prefix))
    (change,) = applied.changes
    assert "its topic permission is missing" in change
    assert (await management.topic_permissions())[user]["leadbus.raw"]["write"] == r"^raw\.bdk\z"
    assert await logs_in(clean_vhost, user, "its password")


@pytest.mark.parametrize("tags", ["leadbus-publisher", "leadbus-publisher,raw.of-an-earlier-release"])
async def test_a_publisher_whose_source_is_lost_loses_its_rights_and_the_rest_is_applied(
    clean_vhost: Vhost, management: Management, prefix: str, tags: str
) -> None:
    await make(clean_vhost, Users(GIVEN, prefix))
    publishers = PublisherUsers(management, prefix)
    user = await publishers.free("crm")
    await publishers.prepare(user, "bdk")
    await management.put_user(user, {"password": "its password", "tags": tags})
    applied = await make(clean_vhost, Users(GIVEN, prefix))
    (change,) = applied.changes
    assert change.startswith(f"{user}: rights corrected (user {user} may write ")
    assert change.endswith("; no tag of it names a source, so it has no rights until it is added again")
    assert (await Accounts.of(management)).permission(user) == NO_RIGHTS.permission
    assert (await publishers.find("crm")).source is None, "the doctor names it by this"
    assert (await make(clean_vhost, Users(GIVEN, prefix))).changes == ()


async def test_a_management_user_that_is_no_administrator_is_said_and_nothing_made(
    clean_vhost: Vhost, management: Management, prefix: str
) -> None:
    keeper = f"{prefix}keeper"
    await management.put_user(keeper, {"password": "x", "tags": "policymaker"})
    await management.set_permission(keeper, {"configure": ".*", "write": ".*", "read": ".*"})
    url = str(URL(clean_vhost.management_url).with_user(keeper).with_password("x"))
    with pytest.raises(TopologyError, match=f"user {keeper} .* has no tag administrator"):
        await apply(clean_vhost.amqp_url, url, users=Users(GIVEN, prefix))
    assert await management.queues() == {}
    applied = await apply(clean_vhost.amqp_url, url)
    assert applied.queues, "without users a policymaker is enough"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "md5"])
def test_whether_a_user_has_a_password_is_read_from_its_hash(algorithm: str) -> None:
    import base64
    import hashlib

    salt = b"\x01\x02\x03\x04"
    digest = hashlib.new(algorithm, salt + b"right").digest()
    user = {
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": f"rabbit_password_hashing_{algorithm}",
    }
    known = algorithm != "md5"
    assert has_password(user, "right") is (True if known else None)
    assert has_password(user, "wrong") is (False if known else None)
    assert has_password({**user, "password_hash": ""}, "right") is (False if known else None)


async def test_a_message_of_httpx_is_not_what_a_person_reads() -> None:
    """The reason names the call, never an address with a password."""
    with pytest.raises(TopologyError) as caught:
        await apply("amqp://admin:hidden@127.0.0.1:1", "http://admin:hidden@127.0.0.1:1")
    assert "hidden" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ManagementError)
    assert isinstance(caught.value.__cause__.__cause__, httpx2.HTTPError)
