"""The dealer a lead is for, as the directory knew it at this revision."""

from __future__ import annotations

from leadbus.contracts.customer import Address
from leadbus.contracts.wire import Country, Text, WireModel


class Dealer(WireModel):
    """A copy of the normalizer's directory entry, so that no sink has to ask."""

    dealer_id: Text
    """Name of the ``Dealer`` setting."""
    name: Text
    """Trading name."""
    legal_name: Text | None = None
    """Registered name."""
    contact: Text | None = None
    """Person or desk to reach."""
    address: Address | None = None
    """Where the dealer is."""
    phone: Text | None = None
    """Phone number in E.164."""
    email: Text | None = None
    """E-mail address for people; leads go where a route says."""
    country: Country | None = None
    """ISO 3166-1 alpha-2 code: how phone numbers without prefix are read."""
    time_zone: Text | None = None
    """IANA name, such as ``America/Chicago``."""
    locale: Text | None = None
    """BCP 47 tag."""
