"""The private Postfix: everything of its own, nothing left, the queue kept over kill -9."""

from __future__ import annotations

import os
import queue
import signal
import smtplib
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from leadbus_devstack import private_servers
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.postfix import NativePostfix, PostfixPrograms, To
from leadbus_devstack.pytest_plugin import private

from tests.support.processes import gone, listening_addresses

RAW = b"Subject: x\r\nMessage-ID: <1@leadbus.example>\r\n\r\n.\r\n..a\r\n" + b"b" * 998 + b"\r\n"
SENDER = "verp+1@leadbus.example"


def send(server: NativePostfix, recipient: str, raw: bytes = RAW) -> None:
    with smtplib.SMTP("127.0.0.1", server.port, "leadbus.example") as client:
        client.sendmail(SENDER, [recipient], raw)


def test_it_listens_on_loopback_only_and_leaves_nothing(private_postfix: NativePostfix) -> None:
    pids = private_postfix.process.processes()
    addresses = listening_addresses(pids)
    assert {address.split(":")[0] for address in addresses} == {"0100007F"}
    assert {int(address.split(":")[1], 16) for address in addresses} == set(private_postfix.ports.values())
    private_postfix.stop()
    assert gone(pids)


def test_what_was_sent_is_found_byte_for_byte(postfix: NativePostfix) -> None:
    recipient = f"{To.MAILBOX}".replace("@", "+one@")
    send(postfix, To.MAILBOX, b"Subject: another\r\n\r\n")
    send(postfix, recipient)

    (mail,) = postfix.wait_for_mails(1, recipient)
    assert mail.sent == RAW
    assert mail.content.startswith(b"Return-Path: <verp+1@leadbus.example>\r\n")
    assert (mail.recipient, mail.message_id) == (recipient, "<1@leadbus.example>")
    assert len(postfix.wait_for_mails(2)) == 2
    postfix.reset()
    assert postfix.mails() == []


class Behind:
    """The next host, in this process."""

    def __init__(self) -> None:
        self.taken: queue.Queue[bytes] = queue.Queue()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.taken.put(envelope.content)
        return "250 2.0.0 taken"


def test_what_it_took_survives_kill_and_goes_on_byte_for_byte(private_postfix: NativePostfix) -> None:
    send(private_postfix, To.BEHIND)
    assert private_postfix.queued() >= 1, "nobody listens behind it"
    pids = private_postfix.process.processes()
    private_postfix.kill()
    assert gone(pids)
    behind = Behind()
    controller = Controller(behind, "127.0.0.1", private_postfix.next_hop_port)
    controller.start()
    try:
        private_postfix.start()
        relayed = behind.taken.get(timeout=30)
    finally:
        controller.stop()
    assert relayed.startswith(b"Received: ")
    assert relayed.endswith(b"\r\n" + RAW)


def test_frozen_it_does_not_greet(private_postfix: NativePostfix) -> None:
    private_postfix.freeze()
    assert not private_postfix.ready()
    private_postfix.thaw()
    assert private_postfix.ready()


def test_two_stand_side_by_side(postfix: NativePostfix, private_postfix: NativePostfix) -> None:
    assert not set(postfix.ports.values()) & set(private_postfix.ports.values())
    send(private_postfix, To.MAILBOX)
    private_postfix.wait_for_mails(1)
    assert postfix.mails() == []


def test_settings_and_ports_can_be_given() -> None:
    listeners = {"tiny": {"message_size_limit": "100"}}
    with (
        private(
            private_servers.private_postfix(listeners=listeners, settings={"myhostname": "a.example"})
        ) as it,
        smtplib.SMTP("127.0.0.1", it.ports["tiny"]) as client,
    ):
        assert client.ehlo()[1].splitlines()[0] == b"a.example"
        assert client.esmtp_features["size"] == "100"
        assert "starttls" not in client.esmtp_features, "without a certificate"


_OWNER = """
import sys, time
from leadbus_devstack import private_servers
with private_servers.private_postfix() as server:
    print(*server.process.processes(), server.directory, flush=True)
    time.sleep(60)
"""


def test_it_ends_with_its_owner(postfix: NativePostfix) -> None:
    """`postfix` only so that there is one at all."""
    with subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        *pids, directory = owner.stdout.readline().split()
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while not gone([int(pid) for pid in pids]):
        assert time.monotonic() < deadline, "something of it is still there"
        time.sleep(0.05)
    assert Path(directory).exists(), "nobody was left to tidy up"
    subprocess.run(["rm", "-r", directory], check=True)


def test_who_is_not_root_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    programs = PostfixPrograms(Path("/x"), Path("/x"), "postfix", "postdrop", "3.7.11")
    with pytest.raises(DevstackError, match="only be started by root"):
        NativePostfix(programs, tmp_path, tmp_path / "log").start()
