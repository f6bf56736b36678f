"""Asking a server on this machine whether it is there, many times a second and cheaply."""

from __future__ import annotations

import base64
import http.client


def answer(port: int, path: str, *, user: str | None = None, host: str = "127.0.0.1") -> tuple[int, str]:
    """Status and body of a GET; (0, reason) when nobody answers. `user`: "name:password".

    Not httpx2: a client of its own builds a TLS context every time, which costs more than the answer.
    """
    connection = http.client.HTTPConnection(host, port, timeout=5)
    headers = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, type(error).__name__
    finally:
        connection.close()
