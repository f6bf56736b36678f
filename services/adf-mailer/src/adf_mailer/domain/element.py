"""Putting elements together so that every value is legal and every line fits.

A `Draft` collects, beside the tree, what the reader should know that ADF has no place for (`notes`,
which end in the customer's comments) and what was odd (`warnings`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from lxml import etree

from adf_mailer.domain import text
from adf_mailer.domain.fixed_texts import ENGLISH, Language, label
from adf_mailer.domain.shape import UnknownStatus

Node: TypeAlias = "etree._Element"  # noqa: SLF001 - lxml gives it no public name

LINE_BYTES = 998
"""RFC 5322 2.1.1, without the line end."""
FREE_TEXT_LINE_BYTES = 900
"""Leaves room for indentation and tags on the first and last line of a free text."""
VALUE_BYTES = 600
ATTRIBUTE_BYTES = 120
_SURELY_FITS = ATTRIBUTE_BYTES // text.LONGEST_REFERENCE_BYTES
"""So many characters fit into an attribute, whatever they are."""

WarningCode = Literal[
    "name_missing",
    "contact_missing",
    "value_shortened",
    "link_shortened",
    "encoded",
    "time_zone_unknown",
    "reply_to_missing",
    "degraded",
    "sensitive_masked",
    "transcript_cut",
    "text_cut",
    "limit_exceeded",
]
WARNING_CODES: tuple[str, ...] = get_args(WarningCode)


@dataclass(frozen=True, slots=True)
class RenderWarning:
    """`field` is the place in the ADF document, such as `customer/contact/name`; never a value.

    Of `degraded` it is the element that failed validation, or the kind of our own error; of
    `sensitive_masked` the field of the lead.
    """

    code: WarningCode
    field: str


@dataclass(slots=True)
class Draft:
    """One document in the making.

    `dialled` writes a number in E.164 as the receiver wants to read it; `language` is of the words we add;
    `unknown_status` is of vehicles of which nobody said whether they are new or used.
    """

    dialled: Callable[[str], str] = text.line
    language: Language = ENGLISH
    unknown_status: UnknownStatus = "written"
    notes: list[str] = field(default_factory=list)
    warnings: list[RenderWarning] = field(default_factory=list)

    def warn(self, code: WarningCode, where: str) -> None:
        warning = RenderWarning(code, where)
        if warning not in self.warnings:
            self.warnings.append(warning)

    def say(self, key: str, **places: object) -> str:
        """The fixed text of `key`."""
        return label(key, self.language, **places)

    def note(self, key: str, value: str | None, **places: object) -> None:
        """A line `label: value` for the comments; nothing when there is no value."""
        if value:
            self.add_line(self.notes, self.say(key, **places), value)

    def add_line(self, lines: list[str], words: str, value: str | None) -> None:
        """`words: value` at the end of `lines`; nothing when there is no value."""
        if value and (cleaned := text.line(value)):
            lines.append(f"{words}: {cleaned}")

    def leaf(
        self,
        parent: Node,
        tag: str,
        value: str | None,
        attributes: Mapping[str, str | None] | None = None,
    ) -> Node:
        """A child with one line of text, or an empty one. What is too long is cut, and noted whole."""
        return self._leaf(parent, tag, text.line(value or ""), attributes)

    def optional(
        self,
        parent: Node,
        tag: str,
        value: str | None,
        attributes: Mapping[str, str | None] | None = None,
    ) -> None:
        """As `leaf`, and no child at all when there is nothing to say."""
        if value and (cleaned := text.line(value)):
            self._leaf(parent, tag, cleaned, attributes)

    def branch(self, parent: Node, tag: str, attributes: Mapping[str, str | None] | None = None) -> Node:
        """A child; attributes without a value are left out, those too long are cut, and noted whole."""
        element = etree.SubElement(parent, tag)
        for name, value in attributes.items() if attributes else ():
            if value and len(value) <= _SURELY_FITS and value.isalnum():
                # As nearly always: a word of the DTD, a number.
                element.set(name, value)
            elif value and (cleaned := text.line(value)):
                written = text.shorten(cleaned, ATTRIBUTE_BYTES)
                element.set(name, written)
                if written != cleaned:
                    self.warn("value_shortened", f"{tag}@{name}")
                    self.add_line(self.notes, f"{tag} {name}", cleaned)
        return element

    def free_text(self, parent: Node, tag: str, value: str, *, keep: frozenset[str] = frozenset()) -> None:
        """A child with text of any length, wrapped; none when there is no text."""
        cleaned = text.block(value)
        if not cleaned:
            return
        mark = f"... [{self.say('link_shortened')}]"
        wrapped = text.wrap(cleaned, FREE_TEXT_LINE_BYTES, keep=keep, link_mark=mark)
        if wrapped.shortened_links:
            self.warn("link_shortened", f"{parent.tag}/{tag}")
        etree.SubElement(parent, tag).text = wrapped.text

    def _leaf(
        self, parent: Node, tag: str, cleaned: str, attributes: Mapping[str, str | None] | None
    ) -> Node:
        element = self.branch(parent, tag, attributes) if attributes else etree.SubElement(parent, tag)
        if not cleaned:
            return element
        element.text = written = text.shorten(cleaned, VALUE_BYTES)
        if written != cleaned:
            self.warn("value_shortened", f"{parent.tag}/{tag}")
            self.add_line(self.notes, f"{parent.tag} {tag}", cleaned)
        return element
