"""ADF over HTTP: its documents are mended by the normalizer, so the door does not judge them. The H cases."""

from __future__ import annotations

from typing import Any

import pytest
from ingest.domain import body, media_type
from ingest.domain.media_type import Form
from ingest.domain.refusal import Reason, Refusal

ADF = b"<adf><prospect><customer/></prospect></adf>"
TAKEN = [
    ("H1", "application/xml", ADF),
    ("H2", "text/xml", b'<?xml version="1.0" encoding="utf-16"?>' + ADF),
    ("H3", "application/x-adf+xml", b'<?ADF VERSION "1.0"?><?xml version="1.0"?>' + ADF),
    ("H4", "application/xml", ADF.replace(b"<customer/>", b"<name part=full>Mills & Sons &reg;</name>")),
    ("H5", "application/xml", b"<!DOCTYPE adf>" + ADF),
    ("H6", "application/xml", ADF[:-6]),
    ("H7", "text/plain", ADF),
    ("H8", "Message/RFC822", b"Subject: Lead\r\n\r\n" + ADF),
    ("H9", "application/json", b'{"adf": "<adf/>"}'),
]
REFUSED = [
    ("H10", "application/xml", b"", Reason.NOT_XML),
    ("H10", "message/rfc822", b" \r\n ", Reason.NOT_XML),
    ("H11", "application/json", b"<adf/>", Reason.NOT_JSON),
    ("H12", "text/html", ADF, Reason.UNSUPPORTED_TYPE),
    ("H12", None, ADF, Reason.UNSUPPORTED_TYPE),
    ("H12", "application/cloudevents+xml", ADF, Reason.UNSUPPORTED_TYPE),
]


@pytest.mark.parametrize(("case", "content_type", "document"), TAKEN, ids=[row[0] for row in TAKEN])
async def test_adf_is_taken_however_it_is(ingest: Any, case: str, content_type: str, document: bytes) -> None:
    key = await ingest.key("adf")
    answer = await ingest.bring(document, content_type, source="adf", key=key)
    assert answer.status_code == 202, answer.text
    (row,) = await ingest.rows("SELECT source, content_type, body FROM raw")
    assert (row["source"], row["content_type"], bytes(row["body"])) == ("adf", content_type, document)


@pytest.mark.parametrize(
    ("case", "content_type", "document", "reason"), REFUSED, ids=[row[0] for row in REFUSED]
)
async def test_what_is_no_document_at_all(
    ingest: Any, case: str, content_type: str | None, document: bytes, reason: Reason
) -> None:
    key = await ingest.key("adf")
    answer = await ingest.bring(document, content_type, source="adf", key=key)
    assert (answer.status_code, answer.json()["code"]) == (
        415 if reason is Reason.UNSUPPORTED_TYPE else 400,
        reason,
    )
    assert await ingest.count("raw") == 0


@pytest.mark.parametrize(("case", "content_type", "document"), TAKEN[1:8], ids=[row[0] for row in TAKEN[1:8]])
def test_other_sources_are_judged_as_before(case: str, content_type: str, document: bytes) -> None:
    with pytest.raises(Refusal):
        body.check(document, media_type.read(content_type))


@pytest.mark.parametrize(("case", "content_type", "document"), TAKEN, ids=[row[0] for row in TAKEN])
def test_the_form_of_a_document_that_is_mended(case: str, content_type: str, document: bytes) -> None:
    media = media_type.read(content_type, mended=True)
    assert media.form is (Form.JSON if case == "H9" else Form.MENDED)
    body.check(document, media)
