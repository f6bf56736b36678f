"""Servers in this process that Postfix asks while it talks to a client."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from io import BufferedIOBase

Talk = Callable[[BufferedIOBase, BufferedIOBase], None]
"""What is said over one connection: reads from the first, writes to the second, returns at the end."""


class AskedServer:
    """Listens on loopback from now until closed; every connection has a thread of its own."""

    def __init__(self, port: int, talk: Talk) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                try:
                    talk(self.rfile, self.wfile)
                except ConnectionError:
                    return  # killed in the middle of a question

        self._server = _Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    # smtpd keeps its connections open; whoever closes the server does not wait for them.
    block_on_close = False
