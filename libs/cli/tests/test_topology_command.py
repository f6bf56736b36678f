"""``leadbus topology`` on a real broker."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from leadbus.topology import TOPOLOGY, USERS
from leadbus_devstack.vhosts import Vhost

NAMES = tuple(user.name for user in USERS)


@pytest.fixture
def prefix(clean_vhost: Vhost, monkeypatch: pytest.MonkeyPatch, leadbus: Any) -> Iterator[str]:
    """The command set up for a broker that others use too: our users' names begin with this."""
    mine = f"t{secrets.token_hex(4)}."
    monkeypatch.setenv("LEADBUS_AMQP_URL", clean_vhost.amqp_url)
    monkeypatch.setenv("LEADBUS_MANAGEMENT_URL", clean_vhost.management_url)
    monkeypatch.setenv("LEADBUS_USER_PREFIX", mine)
    yield mine
    for name in NAMES:
        try:
            clean_vhost.manage("DELETE", f"users/{mine}{name}")
        except httpx2.HTTPStatusError as error:
            assert error.response.status_code == 404  # noqa: PT017 -- never made


def test_apply_makes_the_broker_so_and_again_changes_nothing(leadbus: Any, prefix: str) -> None:
    first = leadbus("topology", "apply", "--credentials", "kept", "--generate")
    assert (first.code, first.err) == (0, "")
    assert f"{len(TOPOLOGY.queues)} queues" in first.out
    assert f"{len(USERS)} users" in first.out
    for name in NAMES:
        assert f"{prefix}{name}: created" in first.out
        assert (Path("kept") / name).read_text().strip() not in first.out, "a password was printed"
    again = leadbus("topology", "apply", "--json").json
    assert (again["queues"], again["users"], again["changes"]) == (len(TOPOLOGY.queues), len(USERS), [])


def test_a_password_is_rotated_when_asked_and_never_printed(leadbus: Any, prefix: str) -> None:
    leadbus("topology", "apply", "--credentials", "kept", "--generate")
    old = (Path("kept") / "ingest").read_text()
    rotated = leadbus("topology", "apply", "--credentials", "kept", "--generate", "--rotate", "ingest")
    new = (Path("kept") / "ingest").read_text()
    assert (rotated.code, new != old) == (0, True)
    assert f"{prefix}ingest: new password" in rotated.out
    assert new.strip() not in rotated.out
    assert "normalizer" not in rotated.out


def test_passwords_from_a_file(leadbus: Any, prefix: str) -> None:
    Path("passwords").write_text("# of the broker\n" + "".join(f"{name}=secret-{name}\n" for name in NAMES))
    assert leadbus("topology", "apply", "--credentials", "passwords").code == 0
    assert leadbus("topology", "apply", "--credentials", "passwords", "--json").json["changes"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param((), "user ingest is not there and none is given", id="no passwords"),
        pytest.param(("--credentials", "absent"), "absent cannot be read", id="no such file"),
        pytest.param(("--credentials", "empty"), "user normalizer is not there", id="empty directory"),
        pytest.param(("--credentials", "twice"), "twice, line 2: ingest has a password already", id="twice"),
        pytest.param(("--credentials", "odd"), "odd, line 1: not user=password", id="odd line"),
        pytest.param(("--credentials", "blank"), "blank/ingest is empty", id="empty password"),
        pytest.param(("--credentials", "lines"), "is not one line", id="several lines"),
        pytest.param(("--credentials", "binary"), "binary is not text", id="binary"),
        pytest.param(("--credentials", "huge"), "huge is too large", id="huge"),
        pytest.param(("--credentials", "open", "--generate"), "others may write there", id="open directory"),
        pytest.param(("--generate",), "say where generated passwords are to be kept", id="nowhere"),
        pytest.param(("--credentials", "odd", "--generate"), "odd cannot hold passwords", id="into a file"),
        pytest.param(
            ("--credentials", "kept", "--generate", "--rotate", "amocrm-sync"),
            "no user amocrm-sync to rotate: adf-mailer, ingest, normalizer are declared",
            id="rotate a stranger",
        ),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_made(
    leadbus: Any, prefix: str, clean_vhost: Vhost, arguments: tuple[str, ...], said: str
) -> None:
    for folder in ("empty", "blank", "lines", "open"):
        Path(folder).mkdir()
    Path("open").chmod(0o777)
    Path("blank/ingest").write_text("\n")
    Path("lines/ingest").write_text("one\ntwo\n")
    Path("twice").write_text("ingest=1\ningest=2\n")
    Path("odd").write_text("ingest: hidden\n")
    Path("binary").write_bytes(b"ingest=\xff\xfe\n")
    Path("huge").write_text("#" * 100_000)
    ran = leadbus("topology", "apply", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert any(said in line for line in ran.complaints), ran.complaints
    assert "hidden" not in ran.err
    address = httpx2.URL(clean_vhost.management_url)
    found = httpx2.get(
        f"{address.scheme}://{address.host}:{address.port}/api/queues/{clean_vhost.name}",
        auth=(address.username, address.password),
    )
    assert found.json() == []


@pytest.mark.parametrize(
    "with_users", [("--credentials", "x"), ("--generate",), ("--rotate", "ingest")], ids=lambda it: it[0]
)
def test_no_users_goes_with_nothing_about_users(leadbus: Any, with_users: tuple[str, ...]) -> None:
    assert leadbus("topology", "apply", "--no-users", *with_users).code == 2


def test_no_users_makes_none(leadbus: Any, prefix: str) -> None:
    applied = leadbus("topology", "apply", "--no-users", "--json").json
    assert (applied["users"], applied["queues"]) == (0, len(TOPOLOGY.queues))


@pytest.mark.parametrize("which", ["AMQP", "MANAGEMENT"])
def test_a_broker_that_is_away_is_said(
    leadbus: Any, prefix: str, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    monkeypatch.setenv(
        f"LEADBUS_{which}_URL", "http://127.0.0.1:1" if which == "MANAGEMENT" else "amqp://127.0.0.1:1/"
    )
    ran = leadbus("topology", "apply", "--no-users")
    assert (ran.code, ran.out) == (1, "")
    assert ran.complaints


def test_without_a_broker_it_says_what_to_set(leadbus: Any) -> None:
    assert "LEADBUS_AMQP_URL" in leadbus("topology", "apply").complaints[0]


def test_show_and_definitions_need_no_broker(leadbus: Any) -> None:
    shown = leadbus("topology", "show").out
    assert "queue normalizer.raw" in shown
    assert "user normalizer" in shown
    assert "reads normalizer.raw.parked" in shown
    assert "key lead.received.v1" in shown
    assert {user["name"] for user in leadbus("topology", "show", "--json").json["users"]} == set(NAMES)
    definitions = leadbus("topology", "definitions", "--vhost", "leads").json
    assert {queue["vhost"] for queue in definitions["queues"]} == {"leads"}
    assert {queue["name"] for queue in definitions["queues"]} == {queue.name for queue in TOPOLOGY.queues}
    # A broker imports topic permissions before exchanges: a user could be left that may write every key.
    assert not definitions.keys() & {"users", "permissions", "topic_permissions"}
