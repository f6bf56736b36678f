"""Whether a person may be contacted, and for what: acts of consent in, one answer out.

The ledger knows acts only, by contact and purpose; what a source's category stands for without any act
(`start`) comes from the caller. A withdrawal is final: no grant lifts it, whenever it was given and in
whichever order the two arrive. Acts therefore commute and repeat without harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Literal
from uuid import UUID

from leadbus.contracts.lead import Consent, Customer, Lead
from leadbus.contracts.vocabulary import ConsentBasis

Action = Literal["grant", "withdraw"]
Key = tuple[str, str]
"""A contact and a purpose."""

EVERY_PURPOSE = "*"
"""The purpose of a withdrawal that names none."""

_STRENGTH: tuple[ConsentBasis, ...] = ("none", "request", "form", "granted", "withdrawn")
_MEANS: Mapping[Action, ConsentBasis] = {"grant": "granted", "withdraw": "withdrawn"}
_ALLOWING = frozenset({"request", "form", "granted"})


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody said yes or no: by whom (`contact`), to what, when, in which words.

    A withdrawal without `purposes` is one of every purpose, also such as nobody has thought of yet; a grant
    names its purposes (ValueError).
    """

    contact: str
    action: Action
    at: datetime
    purposes: tuple[str, ...] = ()
    text: str | None = None

    def __post_init__(self) -> None:
        if self.action == "grant" and not self.purposes:
            raise ValueError("a grant names its purposes")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one contact stands with one purpose, and since when; `text` are the words agreed to."""

    state: ConsentBasis = "none"
    at: datetime | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """What all acts so far of the persons concerned come to."""

    standings: Mapping[Key, Standing] = field(default_factory=dict)


def transition(state: ConsentBasis, action: Action) -> ConsentBasis:
    """The state after `action`: only a withdrawal leaves `granted`, and nothing leaves `withdrawn`."""
    return max(state, _MEANS[action], key=_STRENGTH.index)


def record(ledger: Ledger, act: Act) -> Ledger:
    """The ledger after `act`; the same object when the act says nothing new."""
    told = {
        (act.contact, purpose): Standing(_MEANS[act.action], act.at, act.text)
        for purpose in act.purposes or (EVERY_PURPOSE,)
    }
    joined = {key: _join(ledger.standings.get(key, Standing()), standing) for key, standing in told.items()}
    if all(ledger.standings.get(key) == standing for key, standing in joined.items()):
        return ledger
    return Ledger({**ledger.standings, **joined})


def standing(ledger: Ledger, contacts: Iterable[str], purpose: str, linked: Iterable[str] = ()) -> Standing:
    """Where a person known by `contacts` stands with `purpose`.

    `linked` are the contacts of leads that are taken for the same person's. They count for withdrawals
    only: being wrong about a person must cost us a contact, never the person their peace.
    """
    own = [found for contact in contacts for found in _found(ledger, contact, purpose)]
    others = [found for contact in linked for found in _found(ledger, contact, purpose)]
    return _join_all([*own, *(one for one in others if one.state == "withdrawn")])


def consent_now(
    ledger: Ledger, start: Consent, contacts: Iterable[str], linked: Iterable[str] = ()
) -> Consent:
    """The consent of a lead that began with `start`, after all acts of its person.

    `purposes` are those that are allowed, and `basis` the weakest of their grounds, with its time and words;
    when none is allowed, `withdrawn` if any was withdrawn (who refused anything is not asked for more), else
    `start` as it was.
    """
    own, others = tuple(contacts), tuple(linked)
    now = {
        purpose: _join(_started(start, purpose), standing(ledger, own, purpose, others))
        for purpose in _purposes(ledger, start, {*own, *others})
    }
    allowed = {purpose: one for purpose, one in now.items() if one.state in _ALLOWING}
    if not allowed:
        refused = [one for one in now.values() if one.state == "withdrawn"]
        return _refused(refused) if refused else start
    weakest = min(allowed.values(), key=_weight)
    return Consent(basis=weakest.state, purposes=tuple(allowed), text=weakest.text, at=weakest.at)


def contacts_of(customer: Customer, lead_id: UUID) -> tuple[str, ...]:
    """What a person is known by: every address and number that could be read, else the lead itself."""
    emails = (f"mailto:{email.address.lower()}" for email in customer.emails if email.address)
    phones = (f"tel:{phone.e164}" for phone in customer.phones if phone.e164)
    return tuple(dict.fromkeys((*emails, *phones))) or (f"lead:{lead_id}",)


def known_by(lead: Lead) -> tuple[str, ...]:
    """What acts may name that concern `lead`: its person's contacts, and the lead itself."""
    own, contacts = f"lead:{lead.lead_id}", contacts_of(lead.customer, lead.lead_id)
    return contacts if own in contacts else (*contacts, own)


def _found(ledger: Ledger, contact: str, purpose: str) -> list[Standing]:
    keys = ((contact, purpose), (contact, EVERY_PURPOSE))
    return [ledger.standings[key] for key in keys if key in ledger.standings]


def _purposes(ledger: Ledger, start: Consent, contacts: set[str]) -> list[str]:
    """Those of the start in its order, then those that acts name."""
    named = sorted(purpose for contact, purpose in ledger.standings if contact in contacts)
    told = dict.fromkeys((*start.purposes, *named))
    return [purpose for purpose in told if purpose != EVERY_PURPOSE] or [EVERY_PURPOSE]


def _started(start: Consent, purpose: str) -> Standing:
    within = purpose in start.purposes or start.basis == "withdrawn"
    return Standing(start.basis, start.at, start.text) if within else Standing()


def _refused(refused: list[Standing]) -> Consent:
    joined = _join_all(refused)
    return Consent(basis="withdrawn", at=joined.at, text=joined.text)


def _join_all(standings: Iterable[Standing]) -> Standing:
    return reduce(_join, standings, Standing())


def _join(one: Standing, other: Standing) -> Standing:
    """The stronger; of two that are as strong, the earlier proof."""
    if one.state == other.state:
        return min(one, other, key=_earliness)
    return max(one, other, key=_strength)


def _strength(standing: Standing) -> int:
    return _STRENGTH.index(standing.state)


def _earliness(standing: Standing) -> tuple[bool, float, bool, str]:
    at = standing.at.timestamp() if standing.at else 0.0
    return standing.at is None, at, standing.text is None, standing.text or ""


def _weight(standing: Standing) -> tuple[int, tuple[bool, float, bool, str]]:
    return _strength(standing), _earliness(standing)
