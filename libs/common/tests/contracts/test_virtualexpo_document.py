"""A fetched document cut into its leads: what is found, what is a fault, and that nothing else happens."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leadbus.contracts.examples.virtualexpo import VIRTUALEXPO_XML
from leadbus.contracts.virtualexpo_document import LeadSplitter, Limits, Split, split
from leadbus.contracts.virtualexpo_lead_document import schema
from lxml import etree

BODY = VIRTUALEXPO_XML.encode()
OURS = 'xmlns="urn:leadbus:virtualexpo:1"'
IDS = ["VX-5501873", "VX-5501902", "VX-5501944"]


def leads(*inner: str, attributes: str = 'generatedAt="2026-04-14T12:00:00Z"') -> bytes:
    return f"<leads {OURS} {attributes}>{''.join(inner)}</leads>".encode()


def lead(inner: str = "", **attributes: str) -> str:
    told = {"id": "1", "category": "request", "marketplace": "AeroExpo", **attributes}
    written = " ".join(f'{name}="{value}"' for name, value in told.items() if value)
    return f"<lead {written}><createdAt>2026-04-14T12:00:00</createdAt>{inner}</lead>"


LEAST = lead("<buyer/>")


def codes(found: Split) -> list[str]:
    return [fault.code for fault in found.faults]


def ids(found: Split) -> list[str]:
    return [one.key.removeprefix("id:") for one in found.leads]


def test_vx_5_the_example_is_as_the_schema_has_it() -> None:
    assert schema().validate(etree.fromstring(BODY))
    found = split(BODY)
    assert (found.faults, ids(found)) == ((), IDS)
    assert [(one.position, one.category, one.faults) for one in found.leads] == [
        (0, "request", ()),
        (1, "prospect", ()),
        (2, "visit", ()),
    ]
    assert found.attributes["generatedAt"] == "2026-04-14T12:00:00+02:00"


@pytest.mark.parametrize("size", [1, 7, 100, 511, 1_000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-15"])
def test_pieces_of_any_size_make_the_same_leads(size: int, encoding: str) -> None:
    body = VIRTUALEXPO_XML.replace("UTF-8", encoding).encode(encoding)
    splitter = LeadSplitter()
    found = [one for at in range(0, len(body), size) for one in splitter.feed(body[at : at + size])]
    found += splitter.close()
    assert found == list(split(BODY).leads)
    assert splitter.faults == ()


def test_leads_come_out_while_the_document_still_arrives() -> None:
    many = leads(*(lead(f"<buyer><firstName>{'x' * 500}</firstName></buyer>", id=str(n)) for n in range(400)))
    splitter = LeadSplitter()
    early = splitter.feed(many[: len(many) // 2])
    assert 100 < len(early) <= 200
    late = splitter.feed(many[len(many) // 2 :]) + splitter.close()
    assert [one.key for one in early + late] == [f"id:{n}" for n in range(400)]
    assert [one.position for one in early + late] == list(range(400))


def test_an_empty_answer_is_normal() -> None:
    for body in (leads(), f"<leads {OURS}/>".encode(), leads(attributes='count="0"')):
        assert split(body) == Split((), (), split(body).attributes)


PREFIXED = b'<v:leads xmlns:v="urn:leadbus:virtualexpo:1" generatedAt="2026-04-14T12:00:00Z">%s</v:leads>'


def test_a_prefix_and_an_odd_tag_are_read_like_any_other() -> None:
    inner = b"""<v:lead category="visit" marketplace='AeroExpo' id='>"x' ><v:createdAt>x</v:createdAt></v:lead
    ><v:lead category="visit" id="2" note=">" marketplace="AeroExpo"/>"""
    found = split(PREFIXED % inner)
    assert ids(found) == ['>"x', "2"]
    assert [etree.fromstring(one.data).tag for one in found.leads] == ["{urn:leadbus:virtualexpo:1}lead"] * 2
    assert ids(split(leads('<lead id="a"/>', '<lead id="b"/>', LEAST))) == ["a", "b", "1"]


@pytest.mark.parametrize(
    ("case", "body", "content_type", "code", "kept"),
    [
        ("nothing", b"", None, "empty_body", 0),
        ("blanks", b" \n ", "text/xml", "empty_body", 0),
        ("mark alone", codecs.BOM_UTF8, "text/xml", "empty_body", 0),
        ("page", b"<!DOCTYPE html><html><body>Log in</body></html>", "text/xml", "html_answer", 0),
        ("old page", b'<!doctype HTML PUBLIC "-//W3C//DTD HTML 4.01//EN"><html>', None, "html_answer", 0),
        ("page without doctype", b"<HTML><br></HTML>", None, "html_answer", 0),
        ("XHTML", b'<html xmlns="http://www.w3.org/1999/xhtml"/>', None, "html_answer", 0),
        ("words as a page", b"Try again later", "text/html; charset=utf-8", "html_answer", 0),
        ("part of a page", b"<p>Try again later</p>", "text/html", "html_answer", 0),
        ("words", b"Try again later", "text/plain", "not_xml", 0),
        ("JSON", b'{"leads": []}', "application/json", "not_xml", 0),
        ("crossed", leads(LEAST, "<lead></b>"), None, "not_xml", 1),
        ("NUL", leads(LEAST, "\x00"), None, "not_xml", 1),
        ("unbound prefix", leads(LEAST, "<x:lead/>"), None, "not_xml", 1),
        ("two roots", leads(LEAST) * 2, None, "not_xml", 1),
        ("cut in the root", BODY[:120], None, "truncated", 0),
        ("cut in a lead", BODY[: BODY.index(b"VX-5501944")], None, "truncated", 2),
        ("cut in a tag", BODY[: BODY.index(b"</buyer>") + 4], None, "truncated", 0),
        ("cut between leads", leads(LEAST)[: -len("</leads>")], None, "truncated", 1),
        ("cut in CDATA", leads(LEAST, "<lead><![CDATA[x")[: -len("</leads>")], None, "truncated", 1),
        ("Latin-1 said to be UTF-8", leads(LEAST, "é").decode().encode("latin-1"), None, "wrong_encoding", 1),
        ("UTF-8 said to be ASCII", leads("é"), "text/xml; charset=us-ascii", "wrong_encoding", 0),
        ("cut in a character", leads(LEAST, "é")[: -len("</leads>") - 1], None, "wrong_encoding", 1),
        ("half of UTF-16", leads().decode().encode("utf-16")[:-1], None, "wrong_encoding", 0),
        ("page in Latin-1", b"<html>d\xe9sol\xe9", None, "html_answer", 0),
        ("no encoding", leads(), "text/xml; charset=klingon", "wrong_encoding", 0),
        ("no charset", leads(), "text/xml; charset=base64", "wrong_encoding", 0),
        ("UTF-7", leads(), "text/xml; charset=utf-7", "wrong_encoding", 0),
        ("entity", b'<!DOCTYPE a [<!ENTITY b "c">]>' + leads("&b;"), None, "xml_forbidden", 0),
        ("outer DTD", b'<!DOCTYPE a SYSTEM "file:///etc/passwd">' + leads(), None, "xml_forbidden", 0),
        ("entity of HTML", leads(LEAST, "<lead>&nbsp;</lead>"), None, "xml_forbidden", 1),
        ("another root", b"<prospects/>", None, "wrong_root", 0),
        ("no namespace", b"<leads><lead/></leads>", None, "wrong_root", 0),
        ("a lead alone", LEAST.replace("<lead", f"<lead {OURS}", 1).encode(), None, "wrong_root", 0),
        ("error inside", leads(LEAST, "<error>quota</error>"), None, "unexpected_content", 1),
        ("words inside", leads("quota", LEAST), None, "unexpected_content", 1),
        ("fewer than told", leads(LEAST, attributes='count="2"'), None, "count_mismatch", 1),
        ("a count that is none", leads(LEAST, attributes='count="many"'), None, "count_mismatch", 1),
    ],
)
def test_what_is_wrong_with_a_document(
    case: str, body: bytes, content_type: str | None, code: str, kept: int
) -> None:
    found = split(body, content_type)
    assert (codes(found), len(found.leads)) == ([code], kept)
    assert found.faults[0].ends_it is (code not in ("unexpected_content", "count_mismatch"))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (BODY, "text/html"),
        (codecs.BOM_UTF8 + BODY, "text/xml; charset=iso-8859-1"),
        (VIRTUALEXPO_XML.encode("latin-1"), "text/xml; charset=latin-1"),
        (VIRTUALEXPO_XML.replace("UTF-8", "windows-1252").encode("cp1252"), "application/xml"),
        (VIRTUALEXPO_XML.encode("utf-16-le"), None),
        (BODY, 'text/xml;charset="UTF-8"'),
    ],
    ids=["html", "mark", "parameter", "declared", "unmarked", "quoted"],
)
def test_a_document_is_what_it_is_and_not_what_a_server_calls_it(
    body: bytes, content_type: str | None
) -> None:
    assert split(body, content_type) == split(BODY)


def test_no_later_lead_is_read_once_it_ended() -> None:
    splitter = LeadSplitter()
    assert splitter.feed(leads() + b" " * 100_000 + b"<") == []
    splitter.close()
    assert splitter.ended
    assert (splitter.feed(leads(LEAST)), splitter.close()) == ([], [])


@pytest.mark.parametrize(
    ("case", "limits", "body", "code"),
    [
        ("document", Limits(document_bytes=1_000), leads(LEAST * 20), "too_large"),
        ("depth", Limits(depth=10), leads("<lead>" + "<a>" * 9 + "</a>" * 9 + "</lead>"), "too_deep"),
        ("one token", Limits(lead_bytes=100_000), leads(f"<!--{'x' * 300_000}-->"), "too_large"),
    ],
)
def test_what_is_too_much_ends_it(case: str, limits: Limits, body: bytes, code: str) -> None:
    splitter = LeadSplitter(None, limits)
    for at in range(0, len(body), 1_000):
        splitter.feed(body[at : at + 1_000])
    splitter.close()
    assert [fault.code for fault in splitter.faults] == [code]


@pytest.mark.parametrize("size", [1_000, 10_000_000])
def test_a_lead_that_is_too_large_costs_no_other(size: int) -> None:
    large = lead("<buyer/>" + "<message>x</message>" * 50_000, id="large", category="prospect")
    body = leads(lead("<buyer/>", id="a"), large, lead("<buyer/>", id="b"))
    splitter = LeadSplitter(None, Limits(lead_bytes=100_000))
    found, held = [], 0
    for at in range(0, len(body), size):
        found += splitter.feed(body[at : at + size])
        held = max(held, len(splitter._buffer) + len(splitter._waiting))
    found += splitter.close()
    assert splitter.faults == ()
    assert held < 300_000
    assert [(one.key, one.category, len(one.faults)) for one in found] == [
        ("id:a", "request", 0),
        ("id:large", "prospect", 1),
        ("id:b", "request", 0),
    ]
    assert (found[1].data, found[1].faults[0].rule) == (b"", "too_large")


def test_an_attack_is_over_before_it_begins() -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 20))
    bomb = f'<!DOCTYPE leads [<!ENTITY l0 "ha">{levels}]>'.encode() + leads("&l19;")
    assert codes(split(bomb)) == ["xml_forbidden"]
    assert codes(split(b"<" + b"a" * 3_000_000)) == ["too_large"]
    assert codes(split(leads("<lead>" * 100_000))) == ["too_deep"]


@settings(max_examples=300, deadline=None)
@given(
    body=st.binary(max_size=300)
    | st.tuples(st.binary(max_size=12), st.integers(0, len(BODY)), st.integers(0, 40)).map(
        lambda cut: BODY[: cut[1]] + cut[0] + BODY[cut[1] + cut[2] :]
    ),
    content_type=st.sampled_from([None, "text/xml", "text/html", "text/xml; charset=utf-16", ";", "é"]),
    size=st.integers(1, 3_000),
)
def test_any_bytes_in_any_pieces_are_leads_and_faults(
    body: bytes, content_type: str | None, size: int
) -> None:
    splitter = LeadSplitter(content_type)
    found = [one for at in range(0, len(body), size) for one in splitter.feed(body[at : at + size])]
    found += splitter.close()
    assert found or splitter.faults or b"<lead " not in body
    whole = split(body, content_type)
    assert (tuple(found), [fault.code for fault in splitter.faults]) == (whole.leads, codes(whole))
    for one in found:
        assert etree.fromstring(one.data).tag == "{urn:leadbus:virtualexpo:1}lead"
