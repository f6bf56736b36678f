"""What the ladder's rungs do: each one fault that senders make, put right in the text and nowhere else."""

from __future__ import annotations

import html
import quopri
import re
from itertools import islice

from normalizer.sources.adf.markup import Token, rewritten, tokens
from normalizer.sources.adf.names import LEAVES, NAMES

_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NUMBERED = re.compile(r"&#(?:x(?P<hex>[0-9A-Fa-f]{1,8})|(?P<decimal>[0-9]{1,8}));")
_REFERENCE = re.compile(
    r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,8}|#x[0-9A-Fa-f]{1,8});)(?:(?P<name>[A-Za-z][A-Za-z0-9]{1,30});)?"
)
_QUOTES = "\"'“”„‟″«»‘’‚′`´"
_VALUE = re.compile(rf"""=\s*(?:(?P<sound>"[^"]*"|'[^']*')|[{_QUOTES}](?P<value>[^{_QUOTES}]*)[{_QUOTES}])""")
_ATTRIBUTE = re.compile(
    rf"""(?P<name>[^\s=/"'<>{_QUOTES}]+)(?:\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"'<>]+)))?"""
)
_SOUND_ATTRIBUTES = re.compile(r"""(?:\s+[^\W\d][\w.:-]*\s*=\s*(?:"[^"<]*+"|'[^'<]*+'))*+\s*/?""")
_XMLNS = re.compile(r"\sxmlns:([\w.-]+)\s*=")
_PREFIX = re.compile(r"([^\W\d][\w.-]*):")
_MARKED_QUOTED_PRINTABLE = re.compile(r"<[A-Za-z/][^<>]{0,200}?=3D[\"'\w]|=\r?\n[^\n]*<|<[^<>]{0,80}=\r?\n")
_ESCAPED_ROOT = re.compile(r"&(?:amp;)?lt;(?:[\w.-]+:)?(?:adf|prospect)\b", re.IGNORECASE)
# Of more, those without a value are the most; libxml2 takes quadratic time for them.
_ATTRIBUTES = 1_000
_VOID = frozenset({"br", "hr", "img", "wbr"})


def without_quoted_printable(text: str) -> str:
    """Undone where a mail's transfer encoding was left on; text that does not look so stays as it is."""
    if not _MARKED_QUOTED_PRINTABLE.search(text) or "=3D" not in text:
        return text
    decoded = quopri.decodestring(text.encode("utf-8", "replace"))
    try:
        return decoded.decode()
    except UnicodeDecodeError:
        return decoded.decode("cp1252", "replace")


def unwrapped_html(text: str) -> str:
    """The document that stands as visible text in an HTML page; else the text as it is."""
    if not _ESCAPED_ROOT.search(text):
        return text
    visible = rewritten(text, lambda tag: "\n" if tag.name.lower() in ("br", "p", "div") else "")
    unescaped = html.unescape(visible).replace("\u00a0", " ")
    return html.unescape(unescaped) if _ESCAPED_ROOT.search(unescaped) else unescaped


def drop_characters(text: str) -> str:
    """Without characters, and references to them, that no XML document can hold."""
    return _NUMBERED.sub(_writable_reference, _UNWRITABLE.sub("", text))


def straighten_quotes(text: str) -> str:
    """Attribute values between straight quotes, where a word processor made others of them."""
    return rewritten(text, lambda tag: f"<{'/' * tag.closing}{tag.name}{_VALUE.sub(_straight, tag.rest)}>")


def quote_attributes(text: str) -> str:
    """Every attribute with a value in quotes, each name once."""
    return rewritten(text, _with_sound_attributes)


def escape_references(text: str) -> str:
    """`&` and `<` that open nothing as text; HTML's named characters as the characters."""
    return rewritten(
        text,
        lambda tag: f"<{'/' * tag.closing}{tag.name}{_REFERENCE.sub(_known_reference, tag.rest)}>",
        _with_sound_text,
    )


def fold_names(text: str) -> str:
    """Element names in lower case, so that a tag finds its end."""
    return rewritten(text, lambda tag: f"<{'/' * tag.closing}{tag.name.lower()}{tag.rest}>")


def declare_prefixes(text: str) -> str:
    """Prefixes that nobody declared, declared at the root."""
    tags = [token for token in tokens(text) if token.kind == "tag"]
    used = {
        prefix
        for tag in tags
        for written in (tag.name, *_SOUND_NAMES.findall(tag.rest))
        if (found := _PREFIX.match(written)) and (prefix := found[1]) not in ("xml", "xmlns")
    }
    missing = used.difference(*(_XMLNS.findall(tag.rest) for tag in tags))
    if not missing or not tags:
        return text
    declared = "".join(f' xmlns:{prefix}="urn:undeclared:{prefix}"' for prefix in sorted(missing))
    start = text.index(tags[0].raw) + 1 + len(tags[0].name)
    return text[:start] + declared + text[start:]


_SOUND_NAMES = re.compile(r"\s([^\W\d][\w.:-]*)\s*=")


def balance_tags(text: str) -> str:
    """Every element ended: at the next one where it can hold none, else at its parent's end, or the last.

    An end without a beginning is left out; no text ever is.
    """
    balance = _Balance()
    for token in tokens(text):
        balance.take(token)
    return balance.finished()


class _Balance:
    def __init__(self) -> None:
        self._written: list[str] = []
        self._open: list[str] = []
        self._counts: dict[str, int] = {}

    def take(self, token: Token) -> None:
        if token.kind != "tag":
            self._written.append(_with_sound_text(token))
        elif token.closing:
            self._close(token.name)
        elif token.empty or token.name.lower() in _VOID:
            self._written.append(f"<{token.name}{token.rest.rstrip().removesuffix('/')}/>")
        else:
            self._start(token)

    def _start(self, token: Token) -> None:
        if token.name.lower() in NAMES:
            while self._open and self._open[-1].lower() in LEAVES:
                self._end_last()
        self._written.append(token.raw)
        self._open.append(token.name)
        self._counts[token.name] = self._counts.get(token.name, 0) + 1

    def _close(self, name: str) -> None:
        if not self._counts.get(name):
            return
        while self._open[-1] != name:
            self._end_last()
        self._end_last()

    def _end_last(self) -> None:
        name = self._open.pop()
        self._counts[name] -= 1
        self._written.append(f"</{name}>")

    def finished(self) -> str:
        while self._open:
            self._end_last()
        return "".join(self._written)


def _writable_reference(found: re.Match[str]) -> str:
    number = int(found["hex"], 16) if found["hex"] else int(found["decimal"])
    writable = number <= 0x10FFFF and not _UNWRITABLE.match(chr(number))
    return found[0] if writable else ""


def _straight(found: re.Match[str]) -> str:
    return found[0] if found["sound"] else f'="{found["value"]}"'


def _with_sound_attributes(tag: Token) -> str:
    if tag.closing:
        return f"</{tag.name}>"
    names = [name.lower() for name in _SOUND_NAMES.findall(tag.rest)]
    if _SOUND_ATTRIBUTES.fullmatch(tag.rest) and len(set(names)) == len(names):
        return tag.raw
    seen: dict[str, int] = {}
    attributes = islice(_ATTRIBUTE.finditer(tag.rest), _ATTRIBUTES)
    written = "".join(_sound_attribute(found, seen) for found in attributes)
    return f"<{tag.name}{written}{'/' * tag.empty}>"


def _sound_attribute(found: re.Match[str], seen: dict[str, int]) -> str:
    name = re.sub(r"[^\w.:-]", "", found["name"])
    if not re.match(r"[^\W\d]", name):
        name = f"_{name}"
    seen[name] = seen.get(name, 0) + 1
    if seen[name] > 1:
        name = f"{name}.{seen[name]}"
    value = found["double"] or found["single"] or (found["bare"] or "").removesuffix("/")
    return f' {name}="{value.replace(chr(34), "&quot;").replace("<", "&lt;")}"'


def _known_reference(found: re.Match[str]) -> str:
    if found["name"] and (known := html.unescape(f"&{found['name']};")) and not known.startswith("&"):
        return known
    return f"&amp;{found[0][1:]}"


def _with_sound_text(token: Token) -> str:
    if token.kind == "stray":
        return "&lt;" if token.raw == "<" else ""
    if token.kind == "comment" and "--" in token.raw[4:-3]:
        return ""
    if token.kind == "text":
        return _REFERENCE.sub(_known_reference, token.raw).replace("]]>", "]]&gt;")
    return token.raw
