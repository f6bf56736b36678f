"""What a bounce says, whatever its form."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from adf_mailer.domain import text

DIAGNOSTIC_CHARS = 2000
_NAME_CHARS = 255


class Kind(StrEnum):
    """The forms there are."""

    DELIVERY_STATUS = "delivery_status"
    """RFC 3464, in a report of RFC 6522."""
    ADF = "adf"
    """Our mail back with a text about what is wrong with it, as the ADF specification asks of receivers."""
    FREE_TEXT = "free_text"
    """A mail server's words for people."""
    COMPLAINT = "complaint"
    """A feedback report (RFC 5965): somebody calls the mail spam."""
    AUTO_REPLY = "auto_reply"
    """Out of office, thanks for your mail, has been read. Ignored and counted."""
    LOOP = "loop"
    """Our own mail, come to our own return path. Ignored and counted."""
    UNKNOWN = "unknown"
    """None of these; a person may want to read it."""


IGNORED = frozenset({Kind.AUTO_REPLY, Kind.LOOP})


class Action(StrEnum):
    """What became of the mail for one recipient (RFC 3464, 2.3.3), the worst first."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True)
class Reported:
    """One recipient of a report. `status` is a code of RFC 3463 or None; `addresses` as they are written.

    `diagnostic` is one line of the other side's words, at most 2,000 characters.
    """

    action: Action
    status: str | None = None
    diagnostic: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report. `message_id` and `returned_to` are those of the mail that came back with it, if it did.

    `feedback` is the kind of a complaint, of RFC 5965 or `other`.
    """

    kind: Kind
    recipients: tuple[Reported, ...] = ()
    envelope_id: str | None = None
    message_id: str | None = None
    returned_to: str | None = None
    reporting_mta: str | None = None
    feedback: str | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Whoever the report names as recipients, or the mail that came back where it names nobody."""
        named = tuple(address for one in self.recipients for address in one.addresses)
        return named or ((self.returned_to,) if self.returned_to else ())


def words(value: str) -> str:
    """The other side's words as they are kept."""
    return text.line(value[: 4 * DIAGNOSTIC_CHARS])[:DIAGNOSTIC_CHARS]


def name(value: str | None) -> str | None:
    """A name of a server, out of `dns; mx.example`."""
    if value is None:
        return None
    return text.line(value.rpartition(";")[2][: 4 * _NAME_CHARS])[:_NAME_CHARS] or None
