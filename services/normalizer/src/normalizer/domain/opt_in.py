"""Links by which a person says yes: signed, expiring, for one purpose and one address of one lead.

A link names nobody: whose address it was made for is in it as a hash under the key. The page it leads to
says what is agreed to, in words that follow from link and lead, so that what is recorded is what was shown.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, get_args
from uuid import UUID

from leadbus.contracts.lead import Lead

from normalizer.domain.consents import contacts_of

Purpose = Literal["reply", "sales", "nurture", "marketing"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)

MIN_KEY_BYTES = 32
_HEAD_BYTES = 16 + 8 + 4 + 1
_MAC_BYTES = 16
_LONGEST = 100

_LANGUAGES: Mapping[str, Mapping[Purpose, str]] = {
    "en": {
        "reply": "Yes, {dealer} may answer my request.",
        "sales": "Yes, {dealer} may contact me with offers for what I asked about.",
        "nurture": "Yes, {dealer} may contact me about its products and services.",
        "marketing": "Yes, {dealer} may send me advertising.",
    },
    "de": {
        "reply": "Ja, {dealer} darf meine Anfrage beantworten.",
        "sales": "Ja, {dealer} darf mir Angebote zu meiner Anfrage machen.",
        "nurture": "Ja, {dealer} darf mich zu seinen Produkten und Leistungen ansprechen.",
        "marketing": "Ja, {dealer} darf mir Werbung schicken.",
    },
    "fr": {
        "reply": "Oui, {dealer} peut répondre à ma demande.",
        "sales": "Oui, {dealer} peut me faire des offres au sujet de ma demande.",
        "nurture": "Oui, {dealer} peut me contacter au sujet de ses produits et services.",
        "marketing": "Oui, {dealer} peut m'envoyer de la publicité.",
    },
}


class LinkRefusedError(Exception):
    """Not a link of ours, or one that is over; `expired` says which."""

    def __init__(self, *, expired: bool = False) -> None:
        super().__init__("expired" if expired else "not ours")
        self.expired = expired


@dataclass(frozen=True, slots=True)
class OptIn:
    """What a link is for; `proof` is the same for the same link."""

    lead_id: UUID
    purpose: Purpose
    proof: str
    addressee: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OptInLinks:
    """Makes and reads the tokens of links under one key of at least 32 bytes (ValueError)."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < MIN_KEY_BYTES:
            raise ValueError(f"the key has less than {MIN_KEY_BYTES} bytes")

    def make(self, lead: Lead, purpose: Purpose, expires_at: datetime) -> str:
        """A token for the first contact of the lead's person, which is where the link is to be sent."""
        contact = contacts_of(lead.customer, lead.lead_id)[0]
        told = b"".join(
            (
                lead.lead_id.bytes,
                self._addressee(contact),
                int(expires_at.timestamp()).to_bytes(4, "big"),
                PURPOSES.index(purpose).to_bytes(1, "big"),
            )
        )
        return base64.urlsafe_b64encode(told + self._mac(told)).decode().rstrip("=")

    def read(self, token: str, now: datetime) -> OptIn:
        """What the link is for. Raises LinkRefusedError."""
        told, mac = _cut(token)
        if not hmac.compare_digest(mac, self._mac(told)):
            raise LinkRefusedError
        if datetime.fromtimestamp(int.from_bytes(told[24:28], "big"), UTC) <= now:
            raise LinkRefusedError(expired=True)
        return OptIn(UUID(bytes=told[:16]), PURPOSES[told[28]], told.hex(), told[16:24])

    def contact_of(self, opt_in: OptIn, lead: Lead) -> str | None:
        """The contact of the lead's person that the link was made for; None when it is none of theirs now."""
        contacts = contacts_of(lead.customer, lead.lead_id)
        return next((one for one in contacts if self._addressee(one) == opt_in.addressee), None)

    def _addressee(self, contact: str) -> bytes:
        return hmac.digest(self.key, b"leadbus opt-in contact\0" + contact.encode(), "sha256")[:8]

    def _mac(self, told: bytes) -> bytes:
        return hmac.digest(self.key, b"leadbus opt-in 1\0" + told, "sha256")[:_MAC_BYTES]


def words_of(purpose: Purpose, lead: Lead) -> str:
    """The sentence that is agreed to, in the dealer's language where there is one of it, else in English."""
    return _LANGUAGES[language_of(lead)][purpose].format(dealer=lead.dealer.name)


def language_of(lead: Lead) -> str:
    language = (lead.dealer.locale or "")[:2].lower()
    return language if language in _LANGUAGES else "en"


def _cut(token: str) -> tuple[bytes, bytes]:
    if len(token) > _LONGEST or not token.isascii():
        raise LinkRefusedError
    try:
        whole = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise LinkRefusedError from None
    if len(whole) != _HEAD_BYTES + _MAC_BYTES or whole[_HEAD_BYTES - 1] >= len(PURPOSES):
        raise LinkRefusedError
    return whole[:_HEAD_BYTES], whole[_HEAD_BYTES:]
