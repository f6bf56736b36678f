"""The tracker's kinds of enquiry. It shows them as words, so its words are read beside the keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leadbus.contracts.vocabulary import Channel, ConsentBasis


@dataclass(frozen=True, slots=True)
class LeadType:
    """How the client came, and on what ground the client may be answered.

    Every type is an enquiry that the client made; only a form is known to have asked for consent.
    """

    channel: Channel
    consent: ConsentBasis = "request"


_EMAIL = LeadType("email")
_FORM = LeadType("form", "form")
_PHONE = LeadType("phone")
_CHAT = LeadType("chat")
_OFFLINE = LeadType("offline")
_OTHER = LeadType("unknown")

_TYPES: Mapping[str, LeadType] = {
    "email": _EMAIL,
    "e-mail": _EMAIL,
    "form": _FORM,
    "форма": _FORM,
    "phone": _PHONE,
    "телефон": _PHONE,
    "chat": _CHAT,
    "чат": _CHAT,
    "offline": _OFFLINE,
    "оффлайн": _OFFLINE,
    "офлайн": _OFFLINE,
}


def type_called(word: str) -> LeadType:
    """The type of this name in any case of letters; one that nobody knows has the channel `unknown`."""
    return _TYPES.get(word.casefold(), _OTHER)
