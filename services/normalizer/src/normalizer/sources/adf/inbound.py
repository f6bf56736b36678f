"""ADF as it came by some way: what the document leaves out, the way it came tells."""

from __future__ import annotations

from dataclasses import replace

from normalizer.domain.draft import Draft
from normalizer.domain.way import Way
from normalizer.sources import adf
from normalizer.sources.adf.letter import read_letter
from normalizer.sources.adf.mail import read_mail
from normalizer.sources.adf.parts import is_mail


def read(body: bytes, content_type: str | None, way: Way) -> Draft:
    """The draft of the one prospect in `body`, or of a letter where `way` lets letters be leads.

    Raises Rejection and nothing else.
    """
    if way.letters and is_mail(content_type) and not (mail := read_mail(body)).is_adf:
        return read_letter(mail, *way.reference)
    return located(adf.read(body, content_type), way)


def located(draft: Draft, way: Way) -> Draft:
    """`draft` with the dealer reference that counts: its own, unless it has none or the way's always does.

    One that does not count is kept in extras, in the field it was told in.
    """
    if draft.location and not (way.location and way.location_always):
        return draft
    reference, field = way.reference
    if not reference:
        return draft
    told = {draft.location_field: draft.location} if draft.location else {}
    return replace(draft, location=reference, location_field=field, extras={**draft.extras, **told})
