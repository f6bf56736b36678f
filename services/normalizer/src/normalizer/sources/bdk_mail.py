"""BDK leads as e-mail, the way that the API replaces: which types a mail can be of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Literal

from leadbus.contracts.bdk import LEAD_TYPE_ID, MISSPELT_LEAD_TYPE_ID

from normalizer.sources.bdk_types import TYPES, LeadType, LeadTypes

Evidence = Literal["type_id", "title", "subject", "sender", "none"]
"""What told the candidates, the surest first."""

_LONGEST_SUBJECT_CHARS = 1_000
_LONGEST_TEXT_CHARS = 200_000
_TOLD_ID = re.compile(
    rf"\b(?:{LEAD_TYPE_ID}|{MISSPELT_LEAD_TYPE_ID})\b[\"']?[ \t]*[:=][ \t]*[\"']?(?P<id>[0-9]{{1,9}}[a-z])\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class MailReading:
    """Candidate `families` by number and `types` by id, in the table's order; one each where it is decided.

    Both are empty for a mail of which nothing can be told. `evidence` names what told them.
    """

    families: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    evidence: Evidence = "none"


def read_mail(sender: str, subject: str, text: str, types: LeadTypes = TYPES) -> MailReading:
    """What types a mail can be of.

    `sender` is an address, with or without a name; `text` plain text. A type id in subject or text decides.
    Else the families of the sender are candidates (one sender serves three), and a title told word for
    word, or what the subject says, narrows them. A stranger's mail has only a type id or a title to tell
    by. Nothing here proves who sent a mail: that is the mailbox's to know. Never raises.
    """
    said = _plain(f"{subject[:_LONGEST_SUBJECT_CHARS]}\n{text[:_LONGEST_TEXT_CHARS]}")
    if told := _TOLD_ID.search(said):
        kind = types.read(told["id"])
        return MailReading((kind.family,) if kind.family else (), (kind.id,), "type_id")
    families = types.of_sender(parseaddr(sender)[1])
    candidates = [kind for kind in types.types.values() if not families or kind.family in families]
    if titled := _titled(candidates, said):
        return _reading(titled, "title")
    if not families:
        return MailReading()
    first = _plain(subject[:_LONGEST_SUBJECT_CHARS])
    named = [number for number in families if _says(types.families[number].mail, first)]
    candidates = [kind for kind in candidates if kind.family in (named or families)]
    if fitting := _fitting(candidates, first):
        return _reading(fitting, "subject")
    return _reading(candidates, "subject" if named else "sender")


def _reading(kinds: Iterable[LeadType], evidence: Evidence) -> MailReading:
    told = list(kinds)
    return MailReading(
        tuple(dict.fromkeys(kind.family for kind in told if kind.family)),
        tuple(kind.id for kind in told),
        evidence,
    )


def _titled(kinds: Iterable[LeadType], said: str) -> list[LeadType]:
    """Those whose title stands there; a title within a longer one that stands there does not count."""
    found = {kind: title for kind in kinds if kind.title and (title := _plain(kind.title)) in said}
    return _longest({kind: len(title) for kind, title in found.items()})


def _fitting(kinds: Iterable[LeadType], said: str) -> list[LeadType]:
    """Those that the subject speaks of; the longest match is the most exact."""
    found = ((kind, re.search(kind.mail, said)) for kind in kinds if kind.mail)
    return _longest({kind: len(match[0]) for kind, match in found if match})


def _longest(lengths: Mapping[LeadType, int]) -> list[LeadType]:
    longest = max(lengths.values(), default=0)
    return [kind for kind, length in lengths.items() if length == longest]


def _says(pattern: str | None, said: str) -> bool:
    return pattern is not None and re.search(pattern, said) is not None


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).lower().split())
