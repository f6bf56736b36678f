"""A message of several leads as one message for each, so that each is kept, read again and forgotten alone.

A part is the text as it came without the other prospects, faults and all: it climbs the repair ladder by
itself. What belongs to no prospect stays in each. Where prospects cannot be told apart in the text, each is
written anew from the tree that the ladder made.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lxml import etree

from normalizer.domain.rejection import Rejection
from normalizer.sources.adf.decoding import decode
from normalizer.sources.adf.mail import Part, read_mail
from normalizer.sources.adf.markup import tokens
from normalizer.sources.adf.node import is_named
from normalizer.sources.adf.repair import read_documents

MAIL = "message/rfc822"
MOST_PROSPECTS = 1_000
"""In one message."""

_LARGEST_BYTES = 64 * 1024 * 1024
_LOOKED_AT = 64
_TAGS_OF_ONE = 2
_UTF8_XML = "application/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Prospect:
    """Where one stands in a document; `element` is None where the root itself is all there is."""

    root: etree._Element
    element: etree._Element | None


def split(body: bytes, content_type: str | None) -> Sequence[Part]:
    """A part for each prospect in `body`, in document order; none where it holds one or is not to be read.

    Raises Rejection `too_large` for more than `MOST_PROSPECTS`, or parts of more than 64 MiB together.
    """
    if _may_hold_several(body):
        try:
            wholes = _wholes(body, content_type)
            found = [_prospects(whole) for whole in wholes]
        except Rejection:
            return ()  # told as a whole, by whoever reads it
        number = sum(map(len, found))
        if number > MOST_PROSPECTS:
            raise Rejection("too_large", "more prospects than one message may hold")
        if number > 1:
            of_each = zip(wholes, found, strict=True)
            return _bounded(part for whole, prospects in of_each for part in _of(whole, prospects))
    return ()


def is_mail(content_type: str | None) -> bool:
    """Whether a body of that type is a mail."""
    return (content_type or "").partition(";")[0].strip().lower() == MAIL


def _may_hold_several(body: bytes) -> bool:
    """Nearly all hold one, and are not to be read twice; of wide and transfer encodings it cannot be told."""
    if b"\0" in body[:_LOOKED_AT] or b"content-transfer-encoding" in (lower := body.lower()):
        return True
    return lower.count(b"prospect") > _TAGS_OF_ONE


def _wholes(body: bytes, content_type: str | None) -> Sequence[Part]:
    if not is_mail(content_type):
        return (Part(body, content_type or _UTF8_XML),)
    mail = read_mail(body)
    return () if mail.automatic else mail.adf  # a bounce brings back the leads of the mail it is about


def _prospects(whole: Part) -> list[_Prospect]:
    documents = read_documents(whole.body, whole.content_type).documents
    return [one for document in documents for one in _prospects_below(document.root)]


def _prospects_below(root: etree._Element) -> list[_Prospect]:
    return [_Prospect(root, element) for element in _elements(root)] or [_Prospect(root, None)]


def _of(whole: Part, prospects: Sequence[_Prospect]) -> Iterator[Part]:
    if len(prospects) == 1:
        yield whole
        return
    text = decode(whole.body, whole.content_type).text
    spans = list(_spans(text))
    alike = len(spans) == len(prospects) and len({one.root for one in prospects}) == 1
    for one in _cut(text, spans) if alike else _written_anew(prospects):
        yield Part(one.encode("utf-8", "replace"), _UTF8_XML)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where each prospect begins and ends; less than there are where one never ends or holds another."""
    place, begun = 0, None
    for token in tokens(text):
        after = place + len(token.raw)
        if token.kind == "tag" and token.name.rpartition(":")[2].lower() == "prospect" and not token.empty:
            if not token.closing:
                if begun is not None:
                    return
                begun = place
            elif begun is not None:
                yield begun, after
                begun = None
        place = after


def _cut(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[str]:
    ends = [0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), len(text)]
    between = [text[end:start] for end, start in zip(ends, starts, strict=True)]
    for number, (start, end) in enumerate(spans, start=1):
        yield "".join((*between[:number], text[start:end], *between[number:]))


def _written_anew(prospects: Sequence[_Prospect]) -> Iterator[str]:
    """Each with all that stands beside prospects in its document.

    Copied and never built: mending makes names and namespaces out of broken markup that could not be set.
    """
    frames: dict[int, etree._Element] = {}
    for prospect in prospects:
        root = prospect.root
        if id(root) not in frames:
            frames[id(root)] = _without(root)
        alone = copy.deepcopy(frames[id(root)])
        if prospect.element is not None:
            before = [
                one for one in list(root)[: root.index(prospect.element)] if not is_named(one, "prospect")
            ]
            alone.insert(len(before), copy.deepcopy(prospect.element))
        yield etree.tostring(alone, encoding="unicode")


def _without(root: etree._Element) -> etree._Element:
    """A copy of a document without its prospects."""
    frame = copy.deepcopy(root)
    for one in _elements(frame):
        frame.remove(one)
    return frame


def _elements(root: etree._Element) -> list[etree._Element]:
    return [child for child in root if is_named(child, "prospect")]


def _bounded(parts: Iterator[Part]) -> Sequence[Part]:
    taken, size = [], 0
    for part in parts:
        taken.append(part)
        size += len(part.body)
        if size > _LARGEST_BYTES:
            raise Rejection("too_large", "prospects that share more than can be told with each")
    return taken
