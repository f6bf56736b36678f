from __future__ import annotations

import socket

from leadbus_devstack.ports import free_ports, is_free, listening
from leadbus_devstack.stack import take_port


def test_ports_are_free_and_different() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert all(is_free(port) for port in ports)


def test_a_taken_port_is_seen_on_whichever_address_it_is_taken() -> None:
    for address in ("127.0.0.1", "0.0.0.0"):
        with socket.create_server((address, 0)) as server:
            port = server.getsockname()[1]
            assert not is_free(port)
            assert listening(port)


def test_a_preferred_port_is_left_to_whoever_has_it() -> None:
    wanted = free_ports(1)[0]
    assert take_port(wanted) == wanted
    with socket.create_server(("127.0.0.1", wanted)):
        assert take_port(wanted) != wanted
