"""Elements that know which of their values have been read, so that what nobody read is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from lxml import etree

from normalizer.domain.text import clean, clean_line
from normalizer.sources.adf.names import BRANCHES, LEAVES
from normalizer.sources.adf.words import is_placeholder, is_template

_NAMES_KEPT = 512
_JOINTS = re.compile(r"[_.-]")


class Node:
    """An element. `key` is its name for comparing: lower case, no joints, so `stock_number` is `stocknumber`.

    An element of a partner's namespace keeps its prefix in `name` and `key`: its `x:name` is no `name`.
    Values are taken: a value that no reader took is among `leftovers`.
    """

    __slots__ = ("_attributes", "_taken", "children", "key", "name", "pieces")

    def __init__(
        self, name: str, pieces: list[str], attributes: dict[str, str], children: list[Node]
    ) -> None:
        self.name = name
        self.key = _key(name)
        self.pieces = pieces
        self.children = children
        self._attributes = attributes
        self._taken = False

    @property
    def text(self) -> str:
        """Its own text, without that of elements inside."""
        if len(self.pieces) == 1:
            return clean(self.pieces[0])
        return clean(" ".join(piece for piece in map(clean, self.pieces) if piece))

    def each(self, *keys: str) -> list[Node]:
        """The elements inside of these names, in document order."""
        return [child for child in self.children if child.key in keys]

    def first(self, *keys: str) -> Node | None:
        """The first element of these names that holds anything, else the first."""
        found = self.each(*keys)
        return next((child for child in found if child.holds_anything()), found[0] if found else None)

    def holds_anything(self) -> bool:
        """Whether there is any text in it, however deep."""
        return bool(self.text) or any(child.holds_anything() for child in self.children)

    def take(self) -> str:
        """Its own text on one line; read from now on."""
        self._taken = True
        return clean_line(self.text)

    def take_value(self) -> str | None:
        """`take`, or None where the text says nothing: blank, `Not Provided`, an unrendered template."""
        value = clean_line(self.text)
        if not value or is_placeholder(value) or is_template(value):
            return None
        self._taken = True
        return value

    def take_all(self) -> str:
        """The text of it and of every element inside; `<br/>` and the like as line ends."""
        return clean("".join(self.all_pieces()))

    def all_pieces(self) -> Iterator[str]:
        """The pieces of `take_all`, in order."""
        self._taken = True
        yield self.pieces[0]
        for child, tail in zip(self.children, self.pieces[1:], strict=True):
            if child.key in ("br", "p", "div", "li", "tr"):
                yield "\n"
            yield from child.all_pieces()
            yield tail

    def value(self, *keys: str) -> str | None:
        """The first element of these names that says anything, in the order of the names."""
        for key in keys:
            for child in self.each(key):
                if (value := child.take_value()) is not None:
                    return value
        return None

    def attribute(self, *names: str) -> str | None:
        """An attribute, on one line; read from now on. None where absent, blank where empty."""
        for name in names:
            if name in self._attributes:
                return clean_line(self._attributes.pop(name))
        return None

    def seen(self, name: str) -> str | None:
        """An attribute that stays unread."""
        value = self._attributes.get(name)
        return None if value is None else clean_line(value)

    def default(self, name: str, value: str) -> None:
        """Give it an attribute that it has not."""
        self._attributes.setdefault(name, value)

    def copy(self) -> Node:
        """Another of the same values, none of them read."""
        children = [child.copy() for child in self.children]
        return Node(self.name, list(self.pieces), dict(self._attributes), children)

    def leftovers(self, path: str = "") -> Iterator[tuple[str, str]]:
        """What was not read, by dotted path: `customer.contact.phone.1@type`."""
        for name, value in self._attributes.items():
            if text := clean(value):
                yield f"{path}@{name}", text
        # Marks between elements, as of a quoted mail, say nothing.
        if not self._taken and (text := self.text) and not (self.children and is_placeholder(text)):
            yield path or "#text", text
        named: dict[str, int] = {}
        for child in self.children:
            named[child.name] = named.get(child.name, 0) + 1
        places = dict.fromkeys(named, 0)
        for child in self.children:
            place = f".{places[child.name]}" if named[child.name] > 1 else ""
            places[child.name] += 1
            yield from child.leftovers(f"{path}{'.' if path else ''}{child.name}{place}")


@lru_cache(_NAMES_KEPT)
def _key(name: str) -> str:
    return _JOINTS.sub("", name.lower())


def node_of(element: etree._Element) -> Node:
    """The tree below a root, names without the namespace of its prospects, or its own."""
    prospect = next((one for one in element if is_named(one, "prospect")), element)
    return _node(element, _qualified(str(prospect.tag))[0])


def is_named(child: etree._Element, name: str) -> bool:
    """Whether it is an element (no comment) of that name, in whichever namespace and case."""
    return isinstance(child.tag, str) and _qualified(child.tag)[1].lower() == name


def _qualified(tag: str) -> tuple[str | None, str]:
    """Namespace and local name. What was mended may bear names that lxml's QName refuses, as `price:0`."""
    if not tag.startswith("{"):
        return None, tag
    namespace, _, name = tag[1:].partition("}")
    return namespace, name


def _node(element: etree._Element, home: str | None) -> Node:
    pieces = [element.text or ""]
    children = []
    for child in element:
        if isinstance(child.tag, str):
            children.append(_node(child, home))
            pieces.append(child.tail or "")
        else:
            pieces[-1] += f"{child.text or ''}{child.tail or ''}"
    attributes: dict[str, str] = {}
    for written, value in element.attrib.items():
        attributes.setdefault(_attribute_name(str(written), element, home), str(value))
    name = _element_name(element, home)
    if name in BRANCHES:
        told = {child.key for child in children}
        # Some write `<vehicle year="2020">`; no attribute of ADF's own has the name of an element.
        for leaf in [leaf for leaf in attributes if leaf in LEAVES and leaf not in told]:
            children.append(Node(leaf, [attributes.pop(leaf)], {}, []))
            pieces.append("")
    return Node(name, pieces, attributes, children)


def _element_name(element: etree._Element, home: str | None) -> str:
    namespace, name = _qualified(str(element.tag))
    if namespace in (None, home):
        return name.lower()
    return f"{element.prefix or 'other'}:{name}"


def _attribute_name(written: str, element: etree._Element, home: str | None) -> str:
    namespace, name = _qualified(written)
    if namespace in (None, home):
        return name.lower()
    prefixes = {uri: prefix for prefix, uri in element.nsmap.items()}
    return f"{prefixes.get(namespace, 'other')}:{name}"
