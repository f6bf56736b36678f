"""The business setting of kind ``BdkConnection``: one technical client of the BDK Leadservice."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from string import Formatter
from typing import Annotated, Any, Literal

from leadbus.db import Connection
from leadbus.settings.documents import InvalidSpec, Kind, Spec
from pydantic import AfterValidator, Field, model_validator

from ingest.partner_url import PartnerUrl, must_be_https
from ingest.secret_reference import SecretReference, SecretUnreadableError, resolve

KIND = "BdkConnection"
LEAD_ID, PARTNER_NUMBER, CHANGED_SINCE, PAGE, PAGE_SIZE = (
    "lead_id",
    "partner_number",
    "changed_since",
    "page",
    "page_size",
)
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PATH = re.compile(r"/[\x21-\x7e]*")
_HEADER = r"^[A-Za-z0-9-]{1,64}$"
_LIST_PATH = "/leads?partnerNumber={partner_number}&changedSince={changed_since}&page={page}&size={page_size}"

OnChange = Callable[[Connection, str, Any, Any], Awaitable[None]]


def _path(*known: str, needed: tuple[str, ...]) -> Callable[[str], str]:
    def check(path: str) -> str:
        if not _PATH.fullmatch(path) or "#" in path:
            raise ValueError("a path begins with / and has no blanks and no fragment")
        try:
            parts = list(Formatter().parse(path))
        except ValueError:
            raise ValueError("a brace is not closed") from None
        names = {name for _, name, _, _ in parts if name is not None}
        if any(form or conversion for _, _, form, conversion in parts) or names - set(known):
            raise ValueError(f"placeholders are {', '.join(f'{{{name}}}' for name in known)}")
        if missing := set(needed) - names:
            raise ValueError(f"{{{missing.pop()}}} is missing")
        return path

    return check


LeadPath = Annotated[str, Field(max_length=500), AfterValidator(_path(LEAD_ID, needed=(LEAD_ID,)))]
ListPath = Annotated[
    str,
    Field(max_length=500),
    AfterValidator(
        _path(PARTNER_NUMBER, CHANGED_SINCE, PAGE, PAGE_SIZE, needed=(CHANGED_SINCE,)),
    ),
]
PartnerNumber = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S(?:[^\x00-\x1f\x7f]*\S)?$")]


class NotificationProof(Spec):
    """How a notification proves that it comes from the bank."""

    kind: Literal["header", "hmac_sha256"] = Field(
        "header",
        title="Proof",
        description="`header`: the secret itself in a header. `hmac_sha256`: the body's HMAC under the "
        "secret, hexadecimal (also after `sha256=`) or base64.",
    )
    header: Annotated[str, Field(pattern=_HEADER)] = Field(
        "X-Leadservice-Secret", title="Header", description="Where the secret or the HMAC stands."
    )
    secrets: tuple[SecretReference, ...] = Field(
        title="Secrets",
        min_length=1,
        max_length=3,
        description="References; each of them is good, so that a secret can be changed with no gap.",
    )


class Reconciliation(Spec):
    """How it is asked for leads that no notification told of."""

    enabled: bool = Field(True, title="On")
    path: ListPath = Field(
        _LIST_PATH,
        title="Path of the list",
        description="Below the base URL. Without `{partner_number}` it is asked once for all.",
    )
    interval_seconds: int = Field(300, ge=30, le=86_400, title="Interval, seconds")
    overlap_seconds: int = Field(
        900,
        ge=60,
        le=604_800,
        title="Overlap, seconds",
        description="How far each list goes back behind the start of the one before: clocks differ, and "
        "leads appear late.",
    )
    first_hours: float = Field(
        24, ge=0, le=8760, title="First list, hours", description="How far back the very first list goes."
    )
    page_size: int = Field(100, ge=1, le=1000, title="Leads on a page")


class BdkConnection(Spec):
    """One technical client. The document's name is the account of its leads."""

    enabled: bool = Field(
        True, title="On", description="When off, notifications are refused and nothing is fetched."
    )
    base_url: PartnerUrl = Field(title="Base URL", examples=["https://leadservice.example/api/crm"])
    token_url: PartnerUrl = Field(
        title="Token URL", examples=["https://login.example/realms/partners/protocol/openid-connect/token"]
    )
    client_id: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")] = Field(
        title="Client"
    )
    client_secret: SecretReference = Field(title="Secret of the client", description="A reference.")
    client_authentication: Literal["basic", "body"] = Field(
        "basic", title="Login by", description="HTTP basic, or fields of the form (`client_secret_post`)."
    )
    scope: Annotated[str, Field(max_length=500, pattern=r"^[\x21\x23-\x5b\x5d-\x7e ]*$")] | None = Field(
        None, title="Scope", description="Names with blanks between; none: what the client has."
    )
    lead_path: LeadPath = Field("/leads/{lead_id}", title="Path of a lead", description="Below the base URL.")
    partner_numbers: Annotated[tuple[PartnerNumber, ...], Field(max_length=1000)] = Field(
        (),
        title="Partner numbers",
        description="Whose leads are listed. A notification of another number is taken all the same.",
    )
    notifications: NotificationProof | None = Field(
        None, title="Notifications", description="Without it none is taken: leads come by the list alone."
    )
    fat: Literal["take", "fetch"] = Field(
        "take",
        title="Whole leads in notifications",
        description="`take`: the lead in it is the lead. `fetch`: only its id counts, the lead is fetched.",
    )
    reconciliation: Reconciliation = Field(Reconciliation(), title="Reconciliation")
    concurrency: int = Field(4, ge=1, le=32, title="Leads fetched at a time", description="In each process.")

    @model_validator(mode="after")
    def _consistent(self) -> BdkConnection:
        listed = self.reconciliation
        by_partner = f"{{{PARTNER_NUMBER}}}" in listed.path
        if listed.enabled and by_partner and not self.partner_numbers:
            raise ValueError("the list needs partner_numbers, or a path without {partner_number}")
        if not listed.enabled and self.notifications is None:
            raise ValueError("neither notifications nor reconciliation: no lead would ever come")
        if len(set(self.partner_numbers)) < len(self.partner_numbers):
            raise ValueError("a partner number stands twice")
        return self

    @property
    def listed(self) -> tuple[str, ...]:
        """Partner numbers to ask lists for; one that is empty where the list is asked for all at once."""
        if not (self.enabled and self.reconciliation.enabled):
            return ()
        return self.partner_numbers if f"{{{PARTNER_NUMBER}}}" in self.reconciliation.path else ("",)

    @property
    def secrets(self) -> Mapping[str, str]:
        """Every reference, by its place in the spec."""
        told = {"/client_secret": self.client_secret}
        if self.notifications is not None:
            told |= {f"/notifications/secrets/{n}": one for n, one in enumerate(self.notifications.secrets)}
        return told


def kind(*, or_http: bool, on_change: OnChange) -> Kind:
    """The kind; `or_http` lets addresses in plain http pass."""

    async def check(_conn: Connection, name: str, spec: BdkConnection) -> None:
        if not _ACCOUNT.fullmatch(name):
            raise InvalidSpec("", f"the name is an account: {_ACCOUNT.pattern}", "invalid_name")
        must_be_https("/base_url", spec.base_url, or_http=or_http)
        must_be_https("/token_url", spec.token_url, or_http=or_http)
        for pointer, reference in spec.secrets.items():
            try:
                resolve(reference)
            except SecretUnreadableError as error:
                raise InvalidSpec(pointer, str(error), "secret_unreadable") from None

    return Kind(
        KIND,
        BdkConnection,
        check=check,
        on_change=on_change,
        title="BDK connection",
        description="A technical client of the BDK Leadservice: where leads are fetched, and what proves its "
        "notifications.",
    )
