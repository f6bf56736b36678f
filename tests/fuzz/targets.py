"""What is fuzzed: each reader with what must hold of it whatever the bytes, and inputs to begin with.

A reader may refuse, by the named error and no other; it may not answer the same bytes in two ways, nor make
what cannot be written and read again, nor lose a lead that it counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from adf_mailer.domain.bounces.judging import judge
from adf_mailer.domain.bounces.matching import candidates
from adf_mailer.domain.bounces.reading import read
from adf_mailer.domain.bounces.report import DIAGNOSTIC_CHARS
from adf_mailer.domain.bounces.status import REASON_CODES
from adf_mailer.domain.return_path import ReturnPath
from leadbus.contracts import virtualexpo_document
from leadbus.contracts.examples.virtualexpo import VIRTUALEXPO_XML
from leadbus.contracts.lead import Dealer, Lead
from normalizer.domain.draft import Draft
from normalizer.domain.placing import Origin, place
from normalizer.domain.rejection import Rejection
from normalizer.sources import adf, virtualexpo
from normalizer.sources.adf.mail import read_mail

from tests.fuzz import seeds

_RECEIVED_AT = datetime(2026, 4, 14, 16, 3, 5, tzinfo=UTC)
_DEALER = Dealer(dealer_id="fuzz", name="Fuzz Motors", country="US", time_zone="America/Chicago")
_XML = "application/xml"
_MAIL = "message/rfc822"
_FED_AT_ONCE_BYTES = 7
_MAILED = UUID("340b55c1-0559-5b0b-b869-c4a33f2e5715")
_RETURN_PATH = ReturnPath("bounces@mail.leadbus.example", (b"k" * 32,))
_ADDRESSEE = "leads@prairie.dealercrm.example"
_MOST_RECIPIENTS = 50
_LONGEST_VALUE_CHARS = 5_000


@dataclass(frozen=True, slots=True)
class Target:
    """`read` raises for a broken promise; `words` are what the fuzzer may put in (a libFuzzer dictionary)."""

    read: Callable[[bytes], None]
    seeds: Sequence[bytes]
    words: Sequence[str]
    instrumented: Sequence[str]
    """Packages whose branches the fuzzer sees."""


def read_adf(body: bytes) -> None:
    """Inbound ADF over HTTP or a queue."""
    _read_prospects(body, None)


def read_adf_mail(body: bytes) -> None:
    """Inbound ADF in a mail, read as a whole and as the parts it is kept in."""
    with contextlib.suppress(Rejection):
        assert read_mail(body) == read_mail(body), "one mail, two readings"
    _read_prospects(body, _MAIL)


def read_virtualexpo_document(body: bytes) -> None:
    """A fetched document: at once or in small pieces, the same leads and the same faults."""
    at_once = virtualexpo_document.split(body)
    splitter = virtualexpo_document.LeadSplitter()
    pieces = [body[at : at + _FED_AT_ONCE_BYTES] for at in range(0, len(body), _FED_AT_ONCE_BYTES)]
    leads = [lead for piece in pieces for lead in splitter.feed(piece)] + splitter.close()
    assert [lead.data for lead in leads] == [lead.data for lead in at_once.leads], "cut in two ways"
    assert {fault.code for fault in splitter.faults} == {fault.code for fault in at_once.faults}
    for position, lead in enumerate(at_once.leads):
        assert lead.position == position, "a lead is missing"
        _read_virtualexpo_lead(lead.data)


def read_virtualexpo_lead(body: bytes) -> None:
    """A lead as its raw message brings it, from whoever published it."""
    _read_virtualexpo_lead(body)


def read_bounce(body: bytes) -> None:
    """Any mail to a return path: nothing is refused, and what is kept of it is bounded."""
    report = read(body)
    assert read(body) == report, "one mail, two readings"
    assert len(report.recipients) <= _MOST_RECIPIENTS
    assert all(len(one.diagnostic) <= DIAGNOSTIC_CHARS for one in report.recipients)
    values = (report.envelope_id, report.message_id, report.returned_to, *report.addresses)
    assert all(len(value or "") <= _LONGEST_VALUE_CHARS for value in values)
    judgement = judge(report, _ADDRESSEE)
    assert judgement.reason in {None, report.feedback, *REASON_CODES}
    assert candidates(report, _MAILED, _RETURN_PATH)


def _read_virtualexpo_lead(body: bytes) -> None:
    _settle("virtualexpo", lambda: (virtualexpo.read(body, _XML),))


def _read_prospects(body: bytes, content_type: str | None) -> None:
    told = _settle("adf", partial(adf.read_all, body, content_type))
    try:
        parts = adf.split(body, content_type)
    except Rejection:
        return
    # Refused as a whole, it may still be kept in parts: one of them is then what is refused.
    assert not (parts and told) or len(parts) == len(told), "a prospect got lost between reading and keeping"
    for part in parts:
        _settle("adf", partial(adf.read_all, part.body, part.content_type))


def _settle(source: str, read: Callable[[], Sequence[Draft | Rejection]]) -> Sequence[Draft | Rejection]:
    try:
        told = read()
    except Rejection:
        return ()
    for outcome in told:
        if isinstance(outcome, Draft):
            lead = place(outcome, Origin(source, "fuzz", _RECEIVED_AT), _DEALER)
            assert Lead.model_validate_json(lead.to_json()) == lead, "written and read again it is another"
    return told


_XML_WORDS = ("<", "</", "/>", "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "<!DOCTYPE", "&amp;", "&#x0;")
_ADF_WORDS = (
    *(
        "<adf>",
        "</adf>",
        "<prospect>",
        "</prospect>",
        "<?adf version='1.0'?>",
        "<vehicle ",
        "interest=",
        "<id ",
    ),
    *("<name part='full'>", "<phone type='voice'>", "<email>", "<vendor>", "<vendorname>", "<requestdate>"),
)
_MAIL_WORDS = (
    "\r\n\r\n",
    "Content-Type: ",
    "multipart/mixed; boundary=",
    "Content-Transfer-Encoding: ",
    "base64",
)
_BOUNCE_WORDS = (
    *("multipart/report; report-type=delivery-status", "message/delivery-status", "message/feedback-report"),
    *("message/rfc822", "text/rfc822-headers", "message/global-delivery-status", "Auto-Submitted: ", "--b"),
    *("Final-Recipient: rfc822;", "Original-Envelope-Id: ", "Action: ", "failed", "Status: ", "5.1.1"),
    *("Diagnostic-Code: smtp; ", "Feedback-Type: abuse", "X-Failed-Recipients: ", "X-Leadbus-Lead: ", "=?"),
    *("charset=", "quoted-printable", "x-uuencode", "name*0*=", "?=", "did not reach", "delivery failure"),
)
_EXPO_WORDS = (
    *("<leads", "</leads>", "<lead ", "</lead>", "urn:leadbus:virtualexpo:1", "category=", "marketplace="),
    *("<type>", "<createdAt>", "<stand>", "<exhibitorId>", "<product>", "<buyer>", "<company>", "<address>"),
)
_EXPO = ("leadbus.contracts", "normalizer.sources", "normalizer.domain")
_ADF = ("normalizer.sources.adf", "normalizer.domain")

TARGETS = {
    "adf": Target(read_adf, seeds.ADF, (*_XML_WORDS, *_ADF_WORDS), _ADF),
    "adf_mail": Target(read_adf_mail, seeds.MAILS, (*_XML_WORDS, *_ADF_WORDS, *_MAIL_WORDS), _ADF),
    "bounce": Target(read_bounce, seeds.BOUNCES, (*_MAIL_WORDS, *_BOUNCE_WORDS), ("adf_mailer.domain",)),
    "virtualexpo_document": Target(
        read_virtualexpo_document, (VIRTUALEXPO_XML.encode(),), (*_XML_WORDS, *_EXPO_WORDS), _EXPO
    ),
    "virtualexpo_lead": Target(
        read_virtualexpo_lead,
        tuple(lead.data for lead in virtualexpo_document.split(VIRTUALEXPO_XML.encode()).leads),
        (*_XML_WORDS, *_EXPO_WORDS),
        _EXPO,
    ),
}
