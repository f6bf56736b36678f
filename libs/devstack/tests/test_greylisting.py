"""Who is let through by greylisting, and when."""

from __future__ import annotations

import socket

import pytest
from leadbus_devstack.ports import free_ports
from leadbus_devstack.postfix import Greylisting
from leadbus_devstack.postfix.asked_servers import AskedServer

REQUEST = {"client_address": "127.0.0.1", "sender": "a@leadbus.example", "recipient": "b@crm.example"}


def refused(greylisting: Greylisting, **changes: str) -> bool:
    return greylisting.action(REQUEST | changes).startswith("450 4.7.1")


def test_a_stranger_waits_until_the_delay_is_over() -> None:
    greylisting = Greylisting(delay_seconds=300)
    assert refused(greylisting)
    greylisting.pass_time(299)
    assert refused(greylisting)
    greylisting.pass_time(1)
    assert greylisting.action(REQUEST) == "DUNNO", "counted from the first time, not from the last"
    assert greylisting.action(REQUEST) == "DUNNO"


@pytest.mark.parametrize("changed", REQUEST)
def test_all_three_make_a_stranger(changed: str) -> None:
    greylisting = Greylisting(delay_seconds=300)
    refused(greylisting)
    greylisting.pass_time(300)
    assert not refused(greylisting)
    assert refused(greylisting, **{changed: "another"})


def test_forgotten_is_a_stranger() -> None:
    greylisting = Greylisting(delay_seconds=0)
    assert not refused(greylisting)
    greylisting.delay_seconds = 300
    assert not refused(greylisting)
    greylisting.forget()
    assert refused(greylisting)


def test_requests_come_one_after_the_other_over_a_connection() -> None:
    (port,) = free_ports(1)
    server = AskedServer(port, Greylisting(delay_seconds=0).talk)
    request = "".join(f"{name}={value}\n" for name, value in REQUEST.items()).encode() + b"\n"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            for _ in range(2):
                client.sendall(request)
                assert client.makefile("rb").readline() == b"action=DUNNO\n"
    finally:
        server.close()
