"""Who may log in, told to Postfix by the protocol of Dovecot's authentication server, version 1."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from io import BufferedIOBase

_GREETING = (
    "VERSION\t1\t2\n"
    "MECH\tPLAIN\tplaintext\n"
    "SPID\t1\n"
    "CUID\t1\n"
    "COOKIE\t00000000000000000000000000000000\n"
    "DONE\n"
)


@dataclass
class Logins:
    """`passwords` by user; `away`: whoever asks is hung up on, and Postfix says 454."""

    passwords: dict[str, str] = field(default_factory=lambda: {"leadbus": "correct horse"})
    away: bool = False

    def talk(self, reader: BufferedIOBase, writer: BufferedIOBase) -> None:
        """Over one connection, until its end. Only PLAIN with an initial response, as clients send it."""
        writer.write(_GREETING.encode())
        while line := reader.readline().decode("utf-8", "replace").rstrip("\n"):
            verb, *words = line.split("\t")
            if verb == "AUTH" and self.away:
                return
            if verb == "AUTH":
                writer.write(f"{self._answer(words)}\n".encode())

    def _answer(self, words: list[str]) -> str:
        request, parameters = words[0], dict(word.partition("=")[::2] for word in words[2:])
        user, password = _read_plain(parameters.get("resp", ""))
        if self.passwords.get(user) == password:
            return f"OK\t{request}\tuser={user}"
        return f"FAIL\t{request}\tuser={user}"


def _read_plain(response: str) -> tuple[str, str | None]:
    """User and password of RFC 4616; nobody when it is none."""
    try:
        _, user, password = base64.b64decode(response, validate=True).decode().split("\0")
    except (binascii.Error, ValueError):
        return "", None
    return user, password
