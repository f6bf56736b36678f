"""After the storm: every accepted lead accounted for, every repeat explained."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from leadbus_devstack.demo.comparison import LEADBUS, PROVIDER, identifiers, parse_adf

from tests.guarantees.system import System


@dataclass(frozen=True, slots=True)
class Accounts:
    """`mails`: the Message-IDs received, by the provider's lead id. `ambiguous`: leads said to have perhaps
    been sent more than once."""

    mails: dict[str, list[str]]
    lead_of: dict[str, str]
    leads: dict[str, dict[str, object]]
    delivered: Counter[str]
    ambiguous: frozenset[str]


def everything_delivered(system: System, count: int) -> object:
    """True, or the number of leads by what the ledger says of them."""
    states = Counter(lead["state"] for lead in system.every("normalizer", "/v1/leads"))
    return True if states == {"delivered": count} else dict(states)


def take(system: System) -> Accounts:
    """Read mailbox, ledger and deliveries."""
    mails: dict[str, list[str]] = defaultdict(list)
    lead_of: dict[str, str] = {}
    for mail in system.stack.smtp.messages():
        ids = identifiers(parse_adf(mail))
        mails[ids[PROVIDER]].append(mail.message_id)
        lead_of[ids[PROVIDER]] = ids[LEADBUS]
    deliveries = system.every("adf-mailer", "/v1/deliveries")
    return Accounts(
        mails=dict(mails),
        lead_of=lead_of,
        leads={str(lead["lead_id"]): lead for lead in system.every("normalizer", "/v1/leads")},
        delivered=Counter(str(each["subject_id"]) for each in deliveries if each["phase"] == "delivered"),
        ambiguous=frozenset(str(each["subject_id"]) for each in deliveries if each["ambiguous"]),
    )


def settle(system: System, accepted: set[str], accounts: Accounts) -> None:
    """Every promise about `accepted`, one assertion each."""
    assert set(accounts.mails) == accepted, "every accepted lead has a mail, and nothing else has"
    assert len(accounts.leads) == len(accepted), "a lead for each accepted raw message, none twice"
    assert set(accounts.lead_of.values()) == set(accounts.leads), "the mails speak of the leads of the ledger"
    assert {lead["revision"] for lead in accounts.leads.values()} == {1}, "a redelivery changes no lead"
    assert accounts.delivered == Counter(dict.fromkeys(accounts.leads, 1)), "one delivery for each lead"
    repeated = {provider_id for provider_id, sent in accounts.mails.items() if len(sent) > 1}
    unexplained = {each for each in repeated if accounts.lead_of[each] not in accounts.ambiguous}
    assert not unexplained, "what came twice is marked as possibly sent twice"
    assert all(len(set(sent)) == 1 for sent in accounts.mails.values()), "a repeat keeps its Message-ID"
    assert system.every("normalizer", "/v1/quarantine") == [], "nothing readable was quarantined"
    leftovers = {queue: depth for queue, depth in system.queue_depths().items() if depth}
    assert leftovers == {}, "no message is left, parked or unrouted"
