"""The repair ladder: a document as far as it can be read, and which rungs that took.

Every rung works on a copy of the text; the bytes that came are somebody else's to keep. Nothing declares an
entity here: such documents are refused before any parser sees them, and nothing is ever fetched.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from lxml import etree

from normalizer.domain.rejection import Rejection
from normalizer.sources.adf import mending
from normalizer.sources.adf.decoding import decode
from normalizer.sources.adf.markup import tokens
from normalizer.sources.adf.node import is_named

_ROOT = re.compile(r"<(?:[\w.-]+:)?adf(?=[\s/>])", re.IGNORECASE)
_ROOT_END = re.compile(r"</(?:[\w.-]+:)?adf\s*>", re.IGNORECASE)
_PROSPECT = re.compile(r"<(?:[\w.-]+:)?prospect(?=[\s/>])", re.IGNORECASE)
_PROSPECT_END = re.compile(r"</(?:[\w.-]+:)?prospect\s*>", re.IGNORECASE)
_ENTITY = re.compile(r"<!\s*ENTITY", re.IGNORECASE)
_PROLOG = re.compile(
    r"\s*(?:<\?[^<>]*\?>\s*)*(?:<!DOCTYPE[^<>\[\]]*>\s*)?(?:<\?[^<>]*\?>\s*)*", re.IGNORECASE
)
_DOCUMENTS = 1_000
# A thousand prospects as providers write them; each pass over more would take seconds.
_MARKS = 400_000
_MARKS_TO_MEND = 20_000
# libxml2 takes quadratic time for those of one tag.
_ATTRIBUTES = 500
_WORD = re.compile(r"\w+")

RUNGS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("characters_dropped", mending.drop_characters),
    ("quotes_straightened", mending.straighten_quotes),
    ("attributes_quoted", mending.quote_attributes),
    ("references_escaped", mending.escape_references),
    ("prefixes_declared", mending.declare_prefixes),
    ("names_folded", mending.fold_names),
    ("tags_balanced", mending.balance_tags),
)
"""After `root_cut`, which ignores all around the root, or `root_added`, and before `recovered`."""

_WHOLE: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("quoted_printable_undone", mending.without_quoted_printable),
    ("html_unwrapped", mending.unwrapped_html),
)


@dataclass(frozen=True, slots=True)
class Document:
    """One `<adf>` element. `rungs` that changed something, in order; `lost` words that no element has."""

    root: etree._Element
    rungs: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """All documents of one body; `outside` is the text around them."""

    documents: tuple[Document, ...]
    outside: str = ""
    mislabelled: bool = False


@dataclass
class _Slice:
    text: str
    rungs: list[str] = field(default_factory=list)


def read_documents(body: bytes, content_type: str | None) -> Reading:
    """The documents that `body` holds.

    Raises Rejection: `xml_forbidden` for an entity declaration, `undecodable` for what holds no markup,
    `payload_invalid` for markup without `<adf>` and `<prospect>`, `too_large` for over 1,000 documents or
    400,000 tags, 20,000 where they need repair.
    """
    decoded = decode(body, content_type)
    text = decoded.text
    _refuse_crowd(text, _MARKS)
    _refuse_entities(text)
    whole: list[str] = []
    if _is_sound(text) and (root := _strict(text)) is not None and is_named(root, "adf"):
        rungs = ("root_cut",) if decoded.mislabelled else ()
        return Reading((Document(root, rungs),), mislabelled=decoded.mislabelled)
    _refuse_crowd(text, _MARKS_TO_MEND)
    for name, mend in _WHOLE:
        if (mended := mend(text)) != text:
            text = mended
            whole.append(name)
            _refuse_crowd(text, _MARKS_TO_MEND)
            _refuse_entities(text)
    slices, (before, after) = _cut(text, whole)
    around_root = _strict(f"{before}<adf/>{after}")
    if decoded.mislabelled or around_root is None or not is_named(around_root, "adf"):
        whole.append("root_cut")
    documents = tuple(_climb(_Slice(one, list(whole))) for one in slices)
    around = _visible(f"{_without_prolog(before)} {after}")
    return Reading(documents, around if _WORD.search(around) else "", decoded.mislabelled)


def _refuse_crowd(text: str, most: int) -> None:
    if text.count("<") > most:
        raise Rejection("too_large", "more markup than one message may hold")
    if max(map(_assignments, text.split("<"))) <= _ATTRIBUTES:
        return
    if any(token.kind == "tag" and _assignments(token.rest) > _ATTRIBUTES for token in tokens(text)):
        raise Rejection("too_large", "a tag with more attributes than any may have")


def _assignments(text: str) -> int:
    return text.count("=")


def _refuse_entities(text: str) -> None:
    root = _ROOT.search(text) or _PROSPECT.search(text)
    prolog = text[: root.start()] if root else text
    if _ENTITY.search(prolog) or (_ENTITY.search(text) and _ENTITY.search(_declaring(text))):
        raise Rejection("xml_forbidden", "it declares an entity")


def _declaring(text: str) -> str:
    """Without what is a comment or quoted: nothing is declared there."""
    return "".join(token.raw for token in tokens(text) if token.kind not in ("comment", "cdata"))


def _is_sound(text: str) -> bool:
    return len(_ROOT.findall(text)) == 1


def _without_prolog(text: str) -> str:
    prolog = _PROLOG.match(text)
    return text[prolog.end() :] if prolog else text


def _cut(text: str, rungs: list[str]) -> tuple[list[str], tuple[str, str]]:
    """The documents, and what stands before the first and after it."""
    slices, outside = _slices(text, _ROOT, _ROOT_END)
    if not slices:
        prospects, outside = _slices(text, _PROSPECT, _PROSPECT_END)
        slices = [f"<adf>{''.join(prospects)}</adf>"] if prospects else []
        rungs += ["root_added"] if prospects else []
    if slices:
        return slices, outside
    if any(token.kind == "tag" for token in tokens(text)):
        raise Rejection("payload_invalid", "neither <adf> nor <prospect> in it", kind="element")
    raise Rejection("undecodable", "not ADF: it holds no markup")


def _slices(text: str, start: re.Pattern[str], end: re.Pattern[str]) -> tuple[list[str], tuple[str, str]]:
    starts = [found.start() for found in start.finditer(text)]
    if len(starts) > _DOCUMENTS:
        raise Rejection("too_large", "more documents than one message may hold")
    slices: list[str] = []
    outside: list[str] = []
    place = 0
    for index, begin in enumerate(starts):
        if begin < place:
            continue
        following = starts[index + 1] if index + 1 < len(starts) else len(text)
        closing = end.search(text, begin, following)
        stop = closing.end() if closing else following
        outside.append(text[place:begin])
        slices.append(text[begin:stop])
        place = stop
    outside.append(text[place:])
    return slices, (outside[0], " ".join(outside[1:]))


def _climb(one: _Slice) -> Document:
    root = _strict(one.text)
    for name, mend in RUNGS:
        if root is not None:
            break
        mended = mend(one.text)
        if mended != one.text:
            one.text = mended
            one.rungs.append(name)
            root = _strict(mended)
    if root is not None:
        return Document(root, tuple(one.rungs))
    return _recovered(one)


def _recovered(one: _Slice) -> Document:
    root = _parse(one.text, recover=True)
    if root is None:
        raise Rejection("undecodable", "nothing of its markup could be read")
    there = Counter(_WORD.findall(" ".join(map(str, root.itertext()))))
    lost = Counter(_WORD.findall(_visible(one.text))) - there
    return Document(root, (*one.rungs, "recovered"), tuple(lost))


def _visible(text: str) -> str:
    """The text between the tags, comments and instructions left out."""
    shown = (token for token in tokens(text) if token.kind in ("text", "cdata"))
    plain = "".join(token.raw.removeprefix("<![CDATA[").removesuffix("]]>") + " " for token in shown)
    return " ".join(html.unescape(plain).split())


def _strict(text: str) -> etree._Element | None:
    return _parse(text, recover=False)


def _parse(text: str, *, recover: bool) -> etree._Element | None:
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except (etree.XMLSyntaxError, ValueError, AssertionError):
        return None
    return root
