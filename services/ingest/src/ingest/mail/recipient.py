"""The business setting of kind ``MailRecipient``: an address that mails are taken for, and what they are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from leadbus.db import Connection
from leadbus.settings.documents import InvalidSpec, Kind, Spec
from pydantic import AfterValidator, Field, StringConstraints

from ingest.sources.setting import AccountName
from ingest.store import mail_recipients

KIND = mail_recipients.KIND
TEST_TAG = "+test"
"""Before the @ of an address: the mail is a test."""

_LONGEST_ADDRESS_CHARS = 254
_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@[^\s@<>()\[\]\\,;:\"]+")
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


def normal(address: str) -> str:
    """An address as recipients are compared: without case, the domain in ASCII.

    Raises ValueError for what is none.
    """
    local, _, domain = unicodedata.normalize("NFC", address.strip().lower()).rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii") if domain else ""
    except UnicodeError:
        ascii_domain = ""
    whole = f"{local}@{ascii_domain}"
    if (
        len(whole) > _LONGEST_ADDRESS_CHARS
        or not whole.isprintable()
        or not _ADDRESS.fullmatch(whole)
        or not _DOMAIN.fullmatch(ascii_domain)
    ):
        raise ValueError("not an e-mail address")
    return whole


def _own(address: str) -> str:
    whole = normal(address)
    if whole.partition("@")[0].endswith(TEST_TAG):
        raise ValueError(f"{TEST_TAG} marks tests, and is no part of an address")
    return whole


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not one line of printable text")
    return text


Reference = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_printable),
]


class MailRecipient(Spec):
    """One address, usually of one dealer at one provider. Whoever knows it can send leads to it."""

    address: Annotated[str, AfterValidator(_own)] = Field(
        title="Address",
        description="Compared without case. Choose one that nobody guesses: knowing it is all that a sender "
        "needs.",
        examples=["prairie-7f3k@leads.example.com"],
    )
    source: Literal["adf", "bdk"] = Field(
        "adf",
        title="Source",
        description="adf: any provider's ADF mails. bdk: the mails that the BDK's API replaces.",
    )
    location: Reference | None = Field(
        None,
        title="Dealer reference",
        description="For mails that name no dealer: what a Location setting of the source maps. Not set: the "
        "account.",
    )
    location_always: bool = Field(
        False,
        title="Always this dealer",
        description="Also where the mail names one: some providers write their own name where the dealer's "
        "belongs.",
    )
    account: AccountName | None = Field(
        None,
        title="Account",
        description="What its leads came through. Not set: the name of this setting. With the name of a "
        "BdkConnection a lead told by mail and by API is one lead.",
    )
    plain_text_leads: bool = Field(
        False,
        title="Letters are leads",
        description="A person's own mail is a lead too. Off: such a mail is quarantined as `not_a_lead`.",
    )
    allow_test: bool = Field(
        True,
        title="Test mails",
        description=f"Whether mails to the address with {TEST_TAG} before the @ are taken, and marked.",
    )
    enabled: bool = Field(
        True,
        title="Open",
        description="When off, senders are told to try again later; delete the setting to turn them away.",
    )


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recipient of one mail: the setting of that name, and whether the address marked a test."""

    name: str
    setting: MailRecipient
    test: bool = False

    @property
    def account(self) -> str:
        return self.setting.account or self.name

    @property
    def way(self) -> Mapping[str, str]:
        """CloudEvents extensions by which the normalizer reads the mail (`RawAttributes`)."""
        setting = self.setting
        told = {"location": setting.location} if setting.location else {}
        marks = {"locationalways": setting.location_always, "letters": setting.plain_text_leads}
        return told | {name: "true" for name, marked in marks.items() if marked}


async def _check(conn: Connection, name: str, spec: MailRecipient) -> None:
    if spec.location_always and spec.location is None:
        raise InvalidSpec("/location", "needed where it always counts", "missing")
    if spec.account is None and not _ACCOUNT.fullmatch(name):
        raise InvalidSpec("/account", "needed: the setting's own name cannot be an account", "missing")
    taken = await mail_recipients.taken(conn, spec.address, name)
    if taken is not None:
        raise InvalidSpec("/address", f"MailRecipient/{taken} has this address", "taken")


MAIL_RECIPIENT = Kind(
    KIND,
    MailRecipient,
    check=_check,
    title="Mail recipient",
    description="Addresses that mails are taken for, by SMTP or LMTP.",
)
