"""Each mode of the fault proxy, with plain sockets on both sides."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from leadbus_devstack.fault_proxy import FaultProxy, Mode
from leadbus_devstack.ports import free_ports

# Long enough to tell "held" from "on its way" when it fails; a slow machine cannot make it fail.
_SILENCE_SECONDS = 0.3
_PATIENCE_SECONDS = 30


class Echo:
    """Sends back what it receives, and remembers it."""

    def __init__(self) -> None:
        self.received = b""
        self.ends: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            while chunk := connection.recv(65536):
                self.received += chunk
                connection.sendall(chunk)
            self.ends.append("fin")
        except ConnectionError:
            self.ends.append("rst")
        connection.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    made = FaultProxy("127.0.0.1", echo.port)
    made.start()
    yield made
    made.stop()


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=_PATIENCE_SECONDS)


def exchange(client: socket.socket, word: bytes) -> bytes:
    client.sendall(word)
    return receive(client, len(word))


def receive(client: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length and (chunk := client.recv(length - len(received))):
        received += chunk
    return received


def silent(client: socket.socket) -> bool:
    client.settimeout(_SILENCE_SECONDS)
    try:
        return not client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(_PATIENCE_SECONDS)


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_everything_passes(proxy: FaultProxy) -> None:
    much = bytes(range(256)) * 20_000
    with connect(proxy) as client:
        sending = threading.Thread(target=client.sendall, args=(much,))
        sending.start()
        assert receive(client, len(much)) == much
        sending.join()
        assert proxy.connections == 1
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b"", "the server's end comes through"
    assert eventually(lambda: proxy.connections == 0)


def test_a_server_that_is_gone(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        assert exchange(client, b"one") == b"one"
        proxy.set(Mode.REFUSE)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.set(Mode.PASS)
    with connect(proxy) as client:
        assert exchange(client, b"two") == b"two"


def test_a_black_hole_lets_nothing_through_until_it_ends(proxy: FaultProxy, echo: Echo) -> None:
    with connect(proxy) as client:
        assert exchange(client, b"before") == b"before"
        proxy.set(Mode.BLACKHOLE)
        client.sendall(b"during")
        assert silent(client)
        assert echo.received == b"before"
        proxy.set(Mode.PASS)
        assert receive(client, 6) == b"during", "late, as TCP does"


def test_a_connection_made_into_a_black_hole_hears_nothing(proxy: FaultProxy) -> None:
    proxy.set(Mode.BLACKHOLE)
    with connect(proxy) as client:
        client.sendall(b"hello")
        assert silent(client)


def test_what_clients_send_is_dropped(proxy: FaultProxy, echo: Echo) -> None:
    with connect(proxy) as client:
        assert exchange(client, b"before") == b"before"
        proxy.set(Mode.DROP_UP)
        client.sendall(b"during")
        assert silent(client)
        assert echo.received == b"before"


def test_what_the_server_sends_is_dropped(proxy: FaultProxy, echo: Echo) -> None:
    with connect(proxy) as client:
        assert exchange(client, b"before") == b"before"
        proxy.set(Mode.DROP_DOWN)
        client.sendall(b"during")
        assert eventually(lambda: echo.received == b"beforeduring"), "the server has it"
        assert silent(client), "and the client does not know"


@pytest.mark.parametrize("mode", [Mode.BLACKHOLE, Mode.DROP_UP])
def test_what_a_client_sent_before_its_reset_never_arrives(proxy: FaultProxy, echo: Echo, mode: Mode) -> None:
    client = connect(proxy)
    assert exchange(client, b"before") == b"before"
    proxy.set(mode)
    client.sendall(b"during")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    client.close()
    proxy.set(Mode.PASS)
    assert eventually(lambda: echo.ends == ["rst"])
    assert echo.received == b"before"


def test_a_delay_keeps_bytes_and_their_order(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        proxy.set(Mode.DELAY, delay_seconds=0.2)
        began = time.monotonic()
        client.sendall(b"first ")
        client.sendall(b"second")
        assert receive(client, 12) == b"first second"
        assert time.monotonic() - began >= 0.4, "late on both ways"
    with pytest.raises(ValueError, match="DELAY"):
        proxy.set(Mode.PASS, delay_seconds=1)
    with pytest.raises(ValueError, match="DELAY"):
        proxy.set(Mode.DELAY)


def test_a_reset_reaches_both_sides_and_every_new_connection(proxy: FaultProxy, echo: Echo) -> None:
    with connect(proxy) as client:
        assert exchange(client, b"one") == b"one"
        proxy.set(Mode.RESET)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert eventually(lambda: echo.ends == ["rst"])
    with pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(1)
    proxy.set(Mode.PASS)
    with connect(proxy) as client:
        assert exchange(client, b"two") == b"two"


def test_a_cut_ends_both_sides_politely(proxy: FaultProxy, echo: Echo) -> None:
    with connect(proxy) as client:
        assert exchange(client, b"one") == b"one"
        proxy.set(Mode.CUT)
        assert client.recv(1) == b""
        assert eventually(lambda: echo.ends == ["fin"])
    with connect(proxy) as client:
        assert client.recv(1) == b""


def test_a_server_that_is_away_resets_clients() -> None:
    proxy = FaultProxy("127.0.0.1", free_ports(1)[0])
    proxy.start()
    with pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(1)
    proxy.stop()
    proxy.stop()


def test_urls_are_led_through_it(proxy: FaultProxy, echo: Echo) -> None:
    url = f"amqp://user:p%40ss@127.0.0.1:{echo.port}/vhost?heartbeat=2"
    assert proxy.url(url) == f"amqp://user:p%40ss@127.0.0.1:{proxy.port}/vhost?heartbeat=2"
    assert FaultProxy.before(url, default_port=5672).target_port == echo.port
    assert FaultProxy.before("amqp://localhost/x", default_port=5672).target_port == 5672
