"""By which way a raw message came, as far as that decides how its body is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_TRUE = frozenset({"true", "1", "t", "yes", "y", "on"})
"""What the contract of a raw message's attributes (`RawAttributes`) reads as true."""


@dataclass(frozen=True, slots=True)
class Way:
    """What the envelope says beside the body, and what therefore is the same when it is read again.

    `location` is the dealer reference of the address, or whatever else it came through: for bodies that name
    no dealer, or with `location_always` for all. Without one the `account` is it. `letters`: a person's own
    mail that came this way is a lead. `categories`: what the subscription has selected, comma-separated.
    """

    account: str = ""
    location: str | None = None
    location_always: bool = False
    letters: bool = False
    categories: str | None = None

    @classmethod
    def told(cls, account: str, extensions: Mapping[str, str]) -> Way:
        """From CloudEvents extensions; what is not one of its words is not said."""
        return cls(
            account=account,
            location=extensions.get("location") or None,
            location_always=_is_true(extensions.get("locationalways")),
            letters=_is_true(extensions.get("letters")),
            categories=extensions.get("categories"),
        )

    @property
    def extensions(self) -> Mapping[str, str]:
        """What `told` reads back."""
        named = {"location": self.location, "categories": self.categories}
        told = {name: value for name, value in named.items() if value}
        marks = {"locationalways": self.location_always, "letters": self.letters}
        return told | {name: "true" for name, marked in marks.items() if marked}

    @property
    def reference(self) -> tuple[str, str]:
        """The dealer reference that the way itself makes, and in which field it was told."""
        return (self.location, "location") if self.location else (self.account, "account")


def _is_true(told: str | None) -> bool:
    return told is not None and told.lower() in _TRUE


NO_WAY = Way()
"""Nothing is told: of a message that cannot be read, or is not read again yet."""
