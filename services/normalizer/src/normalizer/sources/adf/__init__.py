"""Inbound ADF: any provider's documents, as they really come.

Several prospects in one document are several leads. The dealer reference is `vendor/id`, else
`vendor/vendorname`, else the name of the vendor's contact; blank where a document names no dealer, because
then the way it came has to tell.
"""

from __future__ import annotations

from collections.abc import Iterator

from normalizer.domain.draft import Draft
from normalizer.domain.rejection import Rejection
from normalizer.sources.adf.findings import Findings
from normalizer.sources.adf.mail import read_mail
from normalizer.sources.adf.node import Node, node_of
from normalizer.sources.adf.parts import MOST_PROSPECTS, is_mail, split
from normalizer.sources.adf.prospect import read_prospect
from normalizer.sources.adf.repair import Document, Reading, read_documents

__all__ = ["MOST_PROSPECTS", "read", "read_all", "split"]

_OUTSIDE_CHARS = 4_000
_COPIES = 10_000


def read(body: bytes, content_type: str | None) -> Draft:
    """The draft of the one prospect in `body`, which `split` made of what holds several.

    Raises Rejection and nothing else.
    """
    told = read_all(body, content_type)
    if len(told) != 1:
        raise Rejection("payload_invalid", "more than one prospect, not to be told apart")
    if isinstance(told[0], Rejection):
        raise told[0]
    return told[0]


def read_all(body: bytes, content_type: str | None) -> tuple[Draft | Rejection, ...]:
    """A draft for each prospect in `body`, in document order, or why that one is no lead.

    A body of type `message/rfc822` is a mail: all ADF in it is read.

    Raises Rejection for the message as a whole: `undecodable`, `not_a_lead` for a mail without ADF or one
    that a machine answered with, `xml_forbidden` for an entity declaration,
    `payload_invalid` without any prospect, `too_large` for more than `MOST_PROSPECTS`; nothing else.
    """
    told = [
        (reading, document, prospect)
        for reading in _readings(body, content_type)
        for document in reading.documents
        for prospect in _prospects(document)
    ]
    if len(told) > MOST_PROSPECTS:
        raise Rejection("too_large", "more prospects than one message may hold")
    return tuple(_outcome(*one) for one in told)


def _readings(body: bytes, content_type: str | None) -> list[Reading]:
    if not is_mail(content_type):
        return [read_documents(body, content_type)]
    mail = read_mail(body)
    if mail.automatic:
        raise Rejection("not_a_lead", "a machine's answer to a mail", kind="mail")
    if not mail.is_adf:
        raise Rejection("not_a_lead", "a mail without any ADF", kind="mail")
    return [read_documents(part.body, part.content_type) for part in mail.adf]


def _outcome(reading: Reading, document: Document, prospect: Node) -> Draft | Rejection:
    findings = Findings()
    for rung in document.rungs:
        findings.warn("adf_repaired", "raw", rung)
    if document.lost:
        findings.warn("text_lost", "raw", f"{len(document.lost)} words")
        findings.keep("adf.unread", " ".join(document.lost))
    if reading.outside:
        if len(reading.outside) <= _OUTSIDE_CHARS:
            findings.keep("adf.outside", reading.outside)
        else:
            findings.warn("text_outside", "raw")
    try:
        return read_prospect(prospect, findings)
    except Rejection as rejection:
        return rejection


def _prospects(document: Document) -> Iterator[Node]:
    """The prospects, each with what stands beside them and belongs to all; the root itself without any."""
    root = node_of(document.root)
    prospects = root.each("prospect")
    if not prospects:
        if not any(root.each(name) for name in ("customer", "vehicle", "contact")):
            raise Rejection("payload_invalid", "an <adf> without <prospect>", kind="element")
        yield root
        return
    shared = [child for child in root.children if child.key != "prospect"]
    sharing = prospects if len(shared) * len(prospects) <= _COPIES else prospects[:1]
    for prospect in sharing:
        for one in shared:
            prospect.children.append(one.copy())
            prospect.pieces.append("")
    yield from prospects
