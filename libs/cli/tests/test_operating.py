"""Publishers and the doctor against the three real services, well and broken."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiormq
import pytest
from leadbus.contracts.examples import CONTACTATONCE
from leadbus_devstack.services import SERVICES, ServiceProcess
from leadbus_devstack.stack import Stack

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_SECONDS = 60

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def cli(cli: Any) -> Any:
    """With the settings of examples/."""
    assert cli("apply", "-f", str(ROOT / "examples")).code == 0
    return cli


def eventually(probe: Callable[[], Any]) -> Any:
    """What ``probe`` returns once it is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := probe()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)
    return found


def run_sample(sample: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """As somebody would who pastes it into a shell."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/sh", "-c", sample],
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_publisher_can_do_its_work_until_it_is_removed(cli: Any, stack: Stack) -> None:
    added = cli(*("publisher", "add", "crm", "--source", "contactatonce", "--account", "main", "--json")).json
    secrets_ = {"LEADBUS_AMQP_URL": added["amqp_url"], "LEADBUS_API_KEY": added["key"]}
    shutil.copy(ROOT / "docs" / "contracts" / "examples" / "publish.py", "publish.py")
    ways = [way for way in added["samples"] if way == "amqp" or shutil.which("curl")]
    for way in ways:
        lead = dict(CONTACTATONCE["Chat"]) | {"lead_id": f"{added['user']}-{way}"}
        Path("lead.json").write_text(json.dumps(lead), "utf-8")
        done = run_sample(added["samples"][way], secrets_)
        assert done.returncode == 0, done.stderr
    leads = eventually(
        lambda: (found := cli("lead", "list", "--json").json["items"])[len(ways) - 1 :] and found
    )
    assert {lead["account"] for lead in leads} == {"main"}

    async def connected_while_removed() -> None:
        connection = await aiormq.connect(added["amqp_url"])
        removed = await asyncio.to_thread(cli, "publisher", "remove", "crm")
        assert (removed.code, removed.err) == (0, "")
        await asyncio.wait_for(connection.closing, DEADLINE_SECONDS)

    with pytest.raises(aiormq.exceptions.ConnectionClosed, match="is deleted"):
        asyncio.run(connected_while_removed())
    for way in ways:
        assert run_sample(added["samples"][way], secrets_).returncode != 0, f"{way} works still"
    assert publishers(cli) == ["contactatonce"]


def publishers(cli: Any) -> list[str]:
    """The development stack has one of its own."""
    return [each["name"] for each in cli("publisher", "list", "--json").json["items"]]


def test_without_a_key_there_is_no_publisher(cli: Any, stack: Stack) -> None:
    ran = cli("publisher", "add", "other", "--source", "virtualexpo")
    assert (ran.code, ran.out) == (1, "")
    assert ran.complaints[0].startswith("ingest: There is no such source")
    assert ran.complaints[1:] == [f"user {stack.user_prefix}other was removed again"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LEADBUS_TOKEN", stack.token("operator"))
        ran = cli("publisher", "add", "other", "--source", "contactatonce")
    assert "the role admin is needed" in ran.complaints[0]
    assert ran.complaints[1:] == [f"user {stack.user_prefix}other was removed again"]
    assert publishers(cli) == ["contactatonce"]


def findings(cli: Any, *options: str) -> dict[tuple[str, str, str], str]:
    """What the doctor says, by level, check and subject."""
    ran = cli("doctor", "--json", "--timeout", "30", *options)
    told = ran.json
    assert ran.code == (1 if told["counts"]["wrong"] else 0)
    assert ran.err == ""
    for finding in told["findings"]:
        assert finding["do"] or finding["level"] == "ok"
    return {(it["level"], it["check"], it["subject"]): it["found"] for it in told["findings"]}


def bad(found: dict[tuple[str, str, str], str]) -> dict[tuple[str, str, str], str]:
    return {where: said for where, said in found.items() if where[0] != "ok"}


def test_all_is_well(cli: Any, stack: Stack) -> None:
    assert eventually(lambda: not bad(findings(cli))), "the last said why not"
    ran = cli("doctor")
    assert ran.code == 0
    assert ran.out.rstrip().endswith("all is well")


def test_several_things_broken_at_once_are_all_said_and_mended_as_said(cli: Any, stack: Stack) -> None:
    vhost, prefix = stack.vhost, stack.user_prefix
    queue = "normalizer.raw"
    # One service with another token key, …
    restart_mailer(stack, TOKEN_KEY=secrets.token_hex(32))
    # … one dead, a policy dropped, a binding too many, messages that need a person, rights lost and widened.
    stack.services["normalizer"].kill()
    vhost.manage("DELETE", f"policies/{vhost.name}/leadbus%20queues%20{queue}")
    vhost.manage("POST", f"bindings/{vhost.name}/e/leadbus.raw/q/{queue}", {"routing_key": "raw.dms"})
    vhost.manage("DELETE", f"topic-permissions/{vhost.name}/{prefix}ingest")
    wide = {"configure": ".*", "write": ".*", "read": ".*"}
    vhost.manage("PUT", f"permissions/{vhost.name}/{prefix}adf-mailer", wide)
    asyncio.run(_put(vhost.amqp_url, f"{queue}.parked", "leadbus.unrouted"))

    expected = {
        ("wrong", "token", "adf-mailer"): "refuses the token",
        ("wrong", "reachable", "normalizer"): "does not answer",
        ("wrong", "policy", vhost.name): f"no policy is in effect on {queue}",
        ("warning", "binding", vhost.name): f"leadbus.raw -> {queue} key 'raw.dms' is not declared",
        ("wrong", "users", f"{prefix}ingest"): "its topic permission is missing",
        ("wrong", "users", f"{prefix}adf-mailer"): "may",
        ("wrong", "queues", queue): "nobody consumes it",
        ("warning", "queues", f"{queue}.parked"): "1 messages",
        ("warning", "queues", "leadbus.unrouted"): "1 messages",
    }

    def all_said() -> bool:
        found = findings(cli)
        return all(said in found.get(where, "") for where, said in expected.items())

    assert eventually(all_said)
    well = {subject for level, _, subject in findings(cli) if level == "ok"}
    assert {"ingest", "LEADBUS_TOKEN", "RabbitMQ"} <= well, "what is well is still seen"

    # What the doctor said to do.
    restart_mailer(stack)
    assert cli("topology", "apply").code == 0
    vhost.manage("DELETE", f"bindings/{vhost.name}/e/leadbus.raw/q/{queue}/raw.dms")
    stack.services["normalizer"].start()
    stack.services["normalizer"].wait_ready()
    left = {where for where, said in expected.items() if said == "1 messages"}
    assert eventually(lambda: set(bad(findings(cli))) == left)


def restart_mailer(stack: Stack, **settings: str) -> None:
    """With other settings than the stack's."""
    [mailer] = [service for service in SERVICES if service.folder == "adf-mailer"]
    running = stack.services["adf-mailer"]
    running.stop()
    made = ServiceProcess(mailer, running.port, stack._settings(mailer) | settings, stack.logs / "other.log")
    stack.services["adf-mailer"] = made
    made.start()
    made.wait_ready()


async def _put(amqp_url: str, *queues: str) -> None:
    connection = await aiormq.connect(amqp_url)
    channel = await connection.channel()
    for queue in queues:
        await channel.basic_publish(b"{}", exchange="", routing_key=queue)
    await connection.close()


def test_services_come_back_by_themselves_when_lost_users_are_made_again(cli: Any, stack: Stack) -> None:
    """As after RabbitMQ lost its data; what is parked or unrouted by now is not looked at."""
    for service in ("ingest", "normalizer", "adf-mailer"):
        stack.vhost.manage("DELETE", f"users/{stack.user_prefix}{service}")

    def wrong() -> set[str]:
        return {subject for level, _, subject in findings(cli) if level == "wrong"}

    assert eventually(lambda: {"normalizer", f"{stack.user_prefix}normalizer"} <= wrong())
    stack.apply_topology()
    assert eventually(lambda: not wrong())


def test_what_hangs_hides_nothing(cli: Any, stack: Stack) -> None:
    """Frozen, it accepts connections and never answers: each question has its own end."""
    ingest = stack.services["ingest"]
    ingest.freeze()
    try:
        told = cli("doctor", "--json", "--timeout", "15").json
    finally:
        ingest.thaw()
    found = {(it["check"], it["subject"]): it["found"] for it in told["findings"]}
    assert "does not answer (no answer within 15 s)" in found["reachable", "ingest"] or (
        "Timeout" in found["reachable", "ingest"]
    )
    assert ("service", "normalizer") in found
    assert ("users", stack.vhost.name) in found


@pytest.mark.parametrize(
    ("variable", "value", "check", "subject"),
    [
        pytest.param("LEADBUS_TOKEN", "no.token", "token", "ingest", id="token"),
        pytest.param("LEADBUS_AMQP_URL", "amqp://h:port", "broker", "LEADBUS_AMQP_URL", id="no AMQP address"),
        pytest.param("LEADBUS_AMQP_URL", "amqp://127.0.0.1:1", "broker", "LEADBUS_AMQP_URL", id="AMQP away"),
        pytest.param(
            "LEADBUS_MANAGEMENT_URL", "http://[::1", "broker", "LEADBUS_MANAGEMENT_URL", id="no URL"
        ),
        pytest.param(
            "LEADBUS_MANAGEMENT_URL",
            "http://127.0.0.1:1",
            *("broker", "LEADBUS_MANAGEMENT_URL"),
            id="management away",
        ),
        pytest.param("LEADBUS_INGEST_URL", "nonsense", "reachable", "ingest", id="no service address"),
        pytest.param("LEADBUS_USER_PREFIX", "other.", "users", "other.ingest", id="other prefix"),
    ],
)
def test_a_wrong_setting_here_is_a_finding_like_any_other(
    cli: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, check: str, subject: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert ("wrong", check, subject) in findings(cli)


def test_a_number_of_seconds_that_is_none(cli: Any) -> None:
    assert cli("doctor", "--timeout", "0").code == 2
