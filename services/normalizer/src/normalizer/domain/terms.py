"""What a lead is found by: VINs as they are, phones and e-mail addresses as keyed hashes.

Whoever reads the tables cannot tell from a hash whom it belongs to, nor try out all phone numbers there are
without the key. Cases: `tests/test_finding.py`.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from leadbus.contracts.lead import Lead

MIN_KEY_BYTES = 32
_VERSION = "1"
"""Counted up when the same lead gets other terms; every lead is then indexed anew."""
_HASH_BYTES = 16
_FINGERPRINT_BYTES = 4
_HASHES_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Terms:
    """Makes the terms of leads with one key; without a key only VINs are found by."""

    key: bytes | None = field(default=None, repr=False)
    mark: str = field(init=False, compare=False)
    """Says by which rules and key terms were made; another key has another mark."""

    def __post_init__(self) -> None:
        if self.key is not None and len(self.key) < MIN_KEY_BYTES:
            raise ValueError(f"the key has less than {MIN_KEY_BYTES} bytes")
        fingerprint = self._hash("key", "")[: 2 * _FINGERPRINT_BYTES] if self.key else "-"
        object.__setattr__(self, "mark", f"{_VERSION}:{fingerprint}")

    def of(self, lead: Lead) -> list[str]:
        """All terms of a lead: every vehicle, number and address that could be read."""
        return sorted({*self._vehicles(lead), *self.contacts(lead)})

    def contacts(self, lead: Lead) -> Sequence[str]:
        """Those of its numbers and addresses; none without a key."""
        if self.key is None:
            return ()
        phones = (self.phone(phone.e164) for phone in lead.customer.phones if phone.e164)
        emails = (self.email(email.address) for email in lead.customer.emails if email.address)
        return (*phones, *emails)

    def vin(self, vin: str) -> str:
        """The term of a VIN as `read_vin` returns it."""
        return f"vin:{vin}"

    def phone(self, e164: str) -> str:
        """The term of a number. Raises ValueError without a key."""
        return self._keyed("phone", e164)

    def email(self, address: str) -> str:
        """The term of an address, upper and lower case alike. Raises ValueError without a key."""
        return self._keyed("email", address.lower())

    def _vehicles(self, lead: Lead) -> Iterable[str]:
        return (self.vin(vehicle.vin) for vehicle in lead.vehicles if vehicle.vin)

    def _keyed(self, kind: str, value: str) -> str:
        return f"{kind}:{self._hash(kind, value)}"

    def _hash(self, kind: str, value: str) -> str:
        if self.key is None:
            raise ValueError("there is no key")
        return _hashed(self.key, kind, value)


@lru_cache(_HASHES_KEPT)
def _hashed(key: bytes, kind: str, value: str) -> str:
    """Once for all who ask in turn: what a lead is found by, and who else is."""
    # The kind goes into the hash, so that equal texts of two kinds tell nothing of each other.
    return hmac.digest(key, f"{kind}\0{value}".encode(), "sha256")[:_HASH_BYTES].hex()
