"""The business setting of kind ``VirtualExpoSubscription``: what is fetched, and how often."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated
from urllib.parse import quote, urlsplit

from leadbus.contracts.virtualexpo import CATEGORIES, Category, Marketplace
from leadbus.settings.documents import InvalidSpec, Spec
from pydantic import Field, SecretStr

from ingest.partner_url import PartnerUrl, must_be_https
from ingest.secret_reference import SecretReference, SecretUnreadableError, resolve

KIND = "VirtualExpoSubscription"
KEY_PLACE = "{key}"
TWO_HOURS_SECONDS = 7200
"""The vendor lets a subscription be downloaded once in two hours."""
_WEEK_SECONDS = 7 * 86_400

_ADVICE = (
    "visits are people who only looked, without consent: VirtualExpo advises them for lead nurturing alone, "
    "and only once the visitor's permission was obtained (GDPR articles 13 and 14), as by a tick box in the "
    "first mail; Leadbus lets nobody contact them before a permission is recorded"
)
ADVICE_ON_VISITS = f"{_ADVICE}. Set visits_confirmed to select them"

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]


class VirtualExpoSubscription(Spec):
    """One download that the exhibitor has set up on a marketplace. Its name is the account of its leads."""

    enabled: bool = Field(True, title="Fetch", description="When off, nothing is asked.")
    marketplace: Marketplace = Field(title="Marketplace", description="Where the exhibitor has the stand.")
    url: PartnerUrl = Field(
        title="Address",
        description="As the vendor's instructions have it, with {key} where the key belongs.",
        examples=["https://export.virtualexpo.example/leads?key={key}"],
    )
    key: SecretReference = Field(
        title="Key", description="Where the key from the vendor's instructions is to be read."
    )
    key_header: HeaderName | None = Field(
        None, title="Header of the key", description="Where the key does not belong into the address."
    )
    categories: tuple[Category, ...] = Field(
        ("request",),
        min_length=1,
        max_length=len(CATEGORIES),
        title="Categories",
        description="What the exhibitor has selected at VirtualExpo. Leads of others are quarantined as "
        "`category_not_selected`. `request` alone to answer buyers, with `prospect` for all sales.",
    )
    visits_confirmed: bool = Field(
        False,
        title="Visits are meant",
        description=f"Needed to select `visit`: {_ADVICE}.",
    )
    trial: bool = Field(
        False,
        title="Trial",
        description="Leads are fetched, read and mapped as ever, with a report, and no lead is made of them.",
    )
    interval_seconds: int = Field(
        TWO_HOURS_SECONDS,
        ge=TWO_HOURS_SECONDS,
        le=_WEEK_SECONDS,
        title="Interval, seconds",
        description="From one attempt to the next; the vendor allows one in two hours.",
    )

    @property
    def target(self) -> bytes:
        """What the vendor counts by, whatever the subscription is called here; tells nothing of the key."""
        return hashlib.sha256(json.dumps([self.url, self.key, self.key_header]).encode()).digest()

    @property
    def selected(self) -> str:
        """The categories as the envelope of a raw message has them."""
        return ",".join(category for category in CATEGORIES if category in self.categories)

    def address(self, key: SecretStr) -> tuple[SecretStr, dict[str, str]]:
        """The address to ask, and headers to send; both hold the key."""
        if self.key_header is not None:
            return SecretStr(self.url), {self.key_header: key.get_secret_value()}
        return SecretStr(self.url.replace(KEY_PLACE, quote(key.get_secret_value(), safe=""))), {}


def check(spec: VirtualExpoSubscription, *, or_http: bool) -> None:
    """Raises InvalidSpec for what no single field shows."""
    must_be_https("/url", spec.url, or_http=or_http)
    _check_place_of_key(spec)
    if len(set(spec.categories)) < len(spec.categories):
        raise InvalidSpec("/categories", "a category is named twice", "named_twice")
    if "visit" in spec.categories and not spec.visits_confirmed:
        raise InvalidSpec("/visits_confirmed", ADVICE_ON_VISITS, "confirmation_needed")
    try:
        resolve(spec.key)
    except SecretUnreadableError as error:
        raise InvalidSpec("/key", str(error), "secret_unreadable") from None


def _check_place_of_key(spec: VirtualExpoSubscription) -> None:
    parts = urlsplit(spec.url)
    if KEY_PLACE in parts.netloc:
        raise InvalidSpec("/url", "the key belongs into path or query, not into the host", "key_misplaced")
    wanted = 0 if spec.key_header is not None else 1
    if spec.url.count(KEY_PLACE) != wanted:
        raise InvalidSpec(
            "/url", "{key} stands in it once, or not at all where key_header is set", "key_misplaced"
        )
