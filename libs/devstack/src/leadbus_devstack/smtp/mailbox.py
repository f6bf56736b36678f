"""A folder of received mail: `<time>-<number>.eml` and its envelope beside it as `.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StoredMail:
    """One received mail. `path` is the file of its exact bytes (dots unstuffed, CRLF line ends)."""

    path: Path
    mail_from: str
    rcpt_to: list[str]
    helo: str
    received_at: datetime

    @property
    def content(self) -> bytes:
        return self.path.read_bytes()

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def message_id(self) -> str:
        """The Message-ID with its angle brackets; empty when the mail has none."""
        return str(self.message["Message-ID"] or "").strip()


class Mailbox:
    """Reads and writes the folder. A mail that can be seen is complete, its envelope too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        # Counted on, so that names stay in order when the server starts again within a second.
        self._stored = len(list(folder.glob("*.eml")))

    def store(self, content: bytes, *, mail_from: str, rcpt_to: list[str], helo: str) -> StoredMail:
        now = datetime.now(UTC)
        self._stored += 1
        path = self.folder / f"{now:%Y%m%dT%H%M%S}-{self._stored:06d}.eml"
        mail = StoredMail(path, mail_from, rcpt_to, helo, now)
        envelope = asdict(mail) | {"path": path.name, "received_at": now.isoformat()}
        path.with_suffix(".json").write_text(json.dumps(envelope, indent=1) + "\n")
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(content)
        unfinished.rename(path)
        return mail

    def messages(self) -> list[StoredMail]:
        """All mails, oldest first."""
        return [_read(path) for path in sorted(self.folder.glob("*.eml"))]

    def clear(self) -> None:
        for pattern in ("*.eml", "*.json"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)


def _read(path: Path) -> StoredMail:
    envelope = json.loads(path.with_suffix(".json").read_text())
    return StoredMail(
        path,
        envelope["mail_from"],
        list(envelope["rcpt_to"]),
        envelope["helo"],
        datetime.fromisoformat(envelope["received_at"]),
    )
