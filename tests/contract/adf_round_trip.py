"""A lead as an ADF document, read back by our own inbound adapter."""

from __future__ import annotations

from adf_mailer.domain.document import Document, Form, render
from leadbus.contracts.lead import Dealer, Lead
from normalizer.domain.placing import Origin, place
from normalizer.sources import adf

from tests.contract.adf_facts import back_facts, sent_facts, squeezed
from tests.contract.adf_known import KNOWN


def there_and_back(lead: Lead, form: Form) -> tuple[Document, Lead]:
    """The document of `lead`, and the lead that our inbound adapter reads in it.

    Its dealer is no more than the name by which the document calls one.
    """
    document = render(lead, form)
    draft = adf.read(document.content, "text/plain; charset=us-ascii")
    named = Dealer(dealer_id="back", name=draft.location, country=lead.dealer.country)
    return document, place(draft, Origin("adf", "back", lead.received_at), named)


def lost(sent: Lead, back: Lead, form: Form, *, without: str | None = None) -> list[str]:
    """Names of the facts of `sent` that `back` tells otherwise or not at all.

    What cannot come back as it was is folded by the rows of `KNOWN`; `without` leaves one of them out.
    """
    told, heard = sent_facts(sent, form), back_facts(back)
    for case in KNOWN:
        if case.id != without:
            case.fold(told, heard)
    compared = (name for name in told if name != "words" and not name.startswith("_"))
    missing = [name for name in compared if heard[name] != told[name]]
    unsaid = [f"words: {word}" for word in told["words"] if word and squeezed(word) not in heard["words"]]
    return missing + unsaid
