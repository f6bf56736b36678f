"""CarLot: enquiries that the portal pushes."""

from __future__ import annotations

from leadbus.contracts.carlot import CarLotLead
from leadbus.contracts.lead import Consent, Email, Name, SourceId
from normalizer.domain.draft import Draft
from normalizer.domain.emails import read_email
from normalizer.domain.extras import unlisted
from normalizer.domain.names import split_name
from normalizer.domain.text import clean
from normalizer.sources.invalid import rejection_of
from pydantic import ValidationError


def read(body: bytes, _content_type: str | None) -> Draft:
    """The draft of one enquiry; raises Rejection and nothing else."""
    try:
        told = CarLotLead.model_validate_json(body)
    except ValidationError as error:
        raise rejection_of(error, CarLotLead) from None
    name, email = split_name(told.name or ""), read_email(told.email or "")
    return Draft(
        location=told.lot,
        location_field="lot",
        source_type="enquiry",
        channel="portal",
        external_id=told.id,
        intents=("inquiry",),
        occurred_at=told.at,
        ids=(SourceId(source="CarLot", value=told.id),),
        name=Name(full=name.full or None, first=name.first, middle=name.middle, last=name.last),
        emails=(Email(address=email.address, raw=email.raw, primary=True),) if told.email else (),
        message=clean(told.text or "") or None,
        consent=Consent(basis="form", purposes=("reply", "sales"), at=told.at),
        extras=unlisted(told),
    )
