"""What counts as XML at the door, and where it says the fault is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest.domain import xml_body
from ingest.domain.refusal import Position, Reason, Refusal

DEEP = xml_body.MAX_DEPTH

TAKEN: dict[str, tuple[bytes, str | None]] = {
    "plain": (b"<lead><id>1</id></lead>", None),
    "declared_utf8": (b'<?xml version="1.0" encoding="UTF-8"?>\n<lead/>', None),
    "byte_order_mark": (b"\xef\xbb\xbf<lead/>", None),
    "predefined_and_numeric_references": (b"<a b='&quot;'>&lt;&amp;&gt;&apos;&#252;&#x1F697;</a>", None),
    "cdata": (b"<a><![CDATA[<!DOCTYPE not one>]]></a>", None),
    "doctype_in_a_comment": (b"<!-- <!DOCTYPE a> --><a/>", None),
    "declared_latin1": (b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>', None),
    "declared_windows_1251": (b'<?xml version="1.0" encoding="windows-1251"?><a>\xcf\xf0</a>', None),
    "utf16": ('<?xml version="1.0" encoding="utf-16"?><a>é</a>'.encode("utf-16"), None),
    "charset_of_the_content_type": (b"<a>\xe9</a>", "iso-8859-1"),
    "charset_goes_before_the_declaration": (
        b'<?xml version="1.0" encoding="UTF-8"?><a>\xe9</a>',
        "iso-8859-1",
    ),
    "mark_goes_before_the_charset": (b"\xef\xbb\xbf<a>\xc3\xa9</a>", "us-ascii"),
    "namespaces": (b'<a xmlns="urn:a" xmlns:b="urn:b"><b:c/></a>', None),
    "as_deep_as_allowed": (b"<a>" * DEEP + b"</a>" * DEEP, None),
}

BOMB = b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>'
OUTSIDE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
ENCODED = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><a/>'.encode("utf-16")

REFUSED: dict[str, tuple[bytes, str | None, Reason, Position]] = {
    "empty": (b"", None, Reason.NOT_XML, Position(1, 1, 0)),
    "json": (b'{"a": 1}', None, Reason.NOT_XML, Position(1, 1, 0)),
    "cut_off": (b"<a>", None, Reason.NOT_XML, Position(1, 4, 3)),
    "mismatched": (b"<a>\n  <b></a>", None, Reason.NOT_XML, Position(2, 8, 11)),
    "byte_counts_bytes_column_counts_characters": (
        "<a>é<b></a>".encode(),
        None,
        Reason.NOT_XML,
        Position(1, 10, 10),
    ),
    "two_roots": (b"<a/><b/>", None, Reason.NOT_XML, Position(1, 5, 4)),
    "repeated_attribute": (b'<a b="1" b="2"/>', None, Reason.NOT_XML, Position(1, 10, 9)),
    "unbound_prefix": (b"<x:a/>", None, Reason.NOT_XML, Position(1, 1, 0)),
    "nul": (b"<a>\x00</a>", None, Reason.NOT_XML, Position(1, 4, 3)),
    "not_the_declared_encoding": (
        b'<?xml version="1.0" encoding="utf-8"?><a>\xff</a>',
        None,
        Reason.NOT_XML,
        Position(1, 42, 41),
    ),
    "not_the_charset": (b"<a>\xe9</a>", "utf-8", Reason.NOT_XML, Position(1, 4, 3)),
    "unknown_encoding": (
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        None,
        Reason.NOT_XML,
        Position(1, 1, 0),
    ),
    "unknown_charset": (b"<a/>", "nonsense", Reason.NOT_XML, Position(1, 1, 0)),
    "charset_that_is_a_codec_but_no_charset": (b"<a/>", "base64", Reason.NOT_XML, Position(1, 1, 0)),
    "utf7_hides_nothing": (
        b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>',
        None,
        Reason.NOT_XML,
        Position(1, 1, 0),
    ),
    "doctype": (b"<!DOCTYPE a><a/>", None, Reason.XML_FORBIDDEN, Position(1, 12, 11)),
    "doctype_outside": (
        b'<!DOCTYPE a SYSTEM "http://x/y.dtd"><a/>',
        None,
        Reason.XML_FORBIDDEN,
        Position(1, 36, 35),
    ),
    "doctype_utf16": (ENCODED, None, Reason.XML_FORBIDDEN, Position(1, 52, 102)),
    "entity_bomb": (BOMB, None, Reason.XML_FORBIDDEN, Position(1, 13, 12)),
    "entity_of_a_file": (OUTSIDE, None, Reason.XML_FORBIDDEN, Position(1, 13, 12)),
    "entity_without_doctype": (b"<a>&nbsp;</a>", None, Reason.XML_FORBIDDEN, Position(1, 4, 3)),
    "one_level_too_deep": (b"<a>" * (DEEP + 1), None, Reason.TOO_DEEP, Position(1, 3 * DEEP + 1, 3 * DEEP)),
}


@pytest.mark.parametrize("case", TAKEN)
def test_taken(case: str) -> None:
    xml_body.check(*TAKEN[case])


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_its_place(case: str) -> None:
    body, charset, reason, position = REFUSED[case]
    with pytest.raises(Refusal) as caught:
        xml_body.check(body, charset)
    assert (caught.value.reason, caught.value.position) == (reason, position)


MARKUP = st.text(alphabet="<>/!?&;=\"'[]- \naxé", max_size=60).map(str.encode)


@given(st.binary(max_size=200) | MARKUP, st.sampled_from([None, "utf-8", "latin-1", "utf-16", "x", "rot13"]))
def test_any_bytes_are_taken_or_refused(body: bytes, charset: str | None) -> None:
    refusal = refusal_of(body, charset)
    if refusal is not None:
        assert refusal.position is not None
        assert 0 <= refusal.position.byte <= len(body)


def refusal_of(body: bytes, charset: str | None) -> Refusal | None:
    try:
        xml_body.check(body, charset)
    except Refusal as refusal:
        return refusal
    return None
