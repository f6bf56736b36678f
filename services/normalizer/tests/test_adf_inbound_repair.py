"""Inbound ADF: the R cases (one rung each), charsets, refusals, and that nothing else comes out."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

import pytest
from normalizer.domain.draft import Draft
from normalizer.domain.rejection import Rejection
from normalizer.sources.adf import MOST_PROSPECTS, read_all
from normalizer.sources.adf.repair import RUNGS, read_documents

SOUND = """<?xml version="1.0" encoding="UTF-8"?>
<?adf version="1.0"?>
<adf><prospect status="new"><id sequence="1" source="Cars">77</id>
<requestdate>2026-04-14T11:03:05-05:00</requestdate>
<vehicle interest="buy" status="used"><year>2020</year><make>Dodge</make><model>Ram</model></vehicle>
<customer><contact><name part="full">Zoë Rivers</name><email>zoe@example.org</email></contact>
<comments>Still there?</comments></customer>
<vendor><vendorname>Prairie Motors</vendorname></vendor></prospect></adf>
"""


def only(document: str | bytes, content_type: str | None = None) -> Draft:
    body = document.encode() if isinstance(document, str) else document
    (draft,) = read_all(body, content_type)
    assert isinstance(draft, Draft), draft
    return draft


def rungs(draft: Draft) -> list[str | None]:
    return [one.detail for one in draft.warnings if one.code == "adf_repaired"]


def swapped(old: str, new: str) -> str:
    assert old in SOUND
    return SOUND.replace(old, new)


def test_a_sound_document_needs_no_repair() -> None:
    draft = only(SOUND)
    assert rungs(draft) == []
    assert draft.name.full == "Zoë Rivers"


NAMESPACED = re.sub(r"<(/?)(?=[a-z])", r"<\1a:", SOUND).replace("<a:adf>", '<a:adf xmlns:a="urn:x">')
UNHARMED = [
    ("P1", swapped('<?adf version="1.0"?>', "")),
    ("P2", swapped('<?adf version="1.0"?>', '<?ADF VERSION="1.0"?>')),
    ("P3", swapped('<?adf version="1.0"?>', '<?adf version "1.0"?>')),
    ("P4", "\n\n" + SOUND),
    ("P5", '<?adf version="1.0"?>\n' + swapped('<?adf version="1.0"?>', "")),
    ("P6", SOUND.replace("adf>", "ADF>").replace("prospect", "Prospect").replace("vehicle", "Vehicle")),
    ("P7", swapped("<adf>", '<adf xmlns="http://www.adf.org/schema/1.0" version="1.0">')),
    ("P8", swapped("<adf>", '<!DOCTYPE adf SYSTEM "http://127.0.0.1:9/adf.dtd"><adf>')),
    ("P10", SOUND[SOUND.index("<prospect") : SOUND.index("</adf>")]),
    ("P11", NAMESPACED),
    ("P12", NAMESPACED[NAMESPACED.index("<a:prospect") : NAMESPACED.index("</a:adf")]),
    ("P9", "".join(SOUND.splitlines()[2:])),
]


@pytest.mark.parametrize(("case", "document"), UNHARMED, ids=[row[0] for row in UNHARMED])
def test_prologs_of_every_kind_cost_nothing(case: str, document: str) -> None:
    draft = only(document)
    assert (draft.name.full, draft.external_id, draft.location) == ("Zoë Rivers", "77", "Prairie Motors")
    assert set(rungs(draft)) <= {"root_cut", "root_added", "prefixes_declared"}


CLIMBS = [
    ("R1", "root_cut", "New lead:\n" + SOUND + "\n-- \nSent by Cars"),
    ("R2", "root_cut", f"<!-- {SOUND} -->"),
    ("R3", "root_cut", swapped('<?adf version="1.0"?>', '<?adf version="1.0">')),
    ("R4", "characters_dropped", swapped("Still there?", "Still\x0b there?&#0;&#x1F;")),
    ("R5", "quotes_straightened", swapped('part="full"', "part=“full”")),
    ("R6", "quotes_straightened", swapped('source="Cars"', "source=”Cars“")),
    ("R7", "attributes_quoted", swapped('sequence="1"', "sequence=1")),
    ("R8", "attributes_quoted", swapped('part="full"', 'part="full" part="full"')),
    ("R9", "references_escaped", swapped("Still there?", "Still there? A & B")),
    ("R10", "references_escaped", swapped("Still there?", "&nbsp;Still there?&unknown;")),
    ("R11", "references_escaped", swapped("Still there?", "Still there? < 3 days")),
    ("R12", "prefixes_declared", swapped("</vehicle>", "<dlr:score>9</dlr:score></vehicle>")),
    ("R13", "names_folded", swapped("<customer>", "<Customer>")),
    ("R14", "tags_balanced", swapped("</year>", "")),
    ("R15", "tags_balanced", SOUND[: SOUND.index("</vendorname>")]),
    ("R16", "tags_balanced", swapped("Still there?", "Still<br>there?")),
    ("R17", "html_unwrapped", "<html><body><pre>" + SOUND.replace("<", "&lt;") + "</pre></body></html>"),
    ("R19", "references_escaped", swapped("<contact>", "<!-- a -- b --><contact>")),
    ("R20", "references_escaped", swapped("Still there?", "<![CDATA[Still there?")),
    ("R21", "root_cut", swapped('<?xml version="1.0" encoding="UTF-8"?>', "<?XML VERSION “1.0”?>")),
    ("R22", "root_cut", "\n" + SOUND),
    ("R23", "root_added", SOUND[SOUND.index("<prospect") : SOUND.index("</adf>")]),
    ("R25", "root_cut", "<leads xmlns:s='x'><s:one>" + SOUND[SOUND.index("<adf>") :] + "</s:one></leads>"),
    ("R24", "root_cut", "> " + SOUND.replace("\n", "\n> ")),
    ("R18", "quoted_printable_undone", SOUND.replace("=", "=3D").replace("Zoë", "Zo=C3=AB")),
]


@pytest.mark.parametrize(("case", "rung", "document"), CLIMBS, ids=[row[0] for row in CLIMBS])
def test_the_ladder(case: str, rung: str, document: str) -> None:
    draft = only(document)
    assert rung in rungs(draft)
    assert draft.name.full == "Zoë Rivers"
    assert (draft.external_id, draft.location) == ("77", "Prairie Motors")
    assert [(one.year, one.make, one.model) for one in draft.vehicles] == [("2020", "Dodge", "Ram")]
    assert (draft.message or "").replace("\n", " ").startswith("Still there?")


@pytest.mark.parametrize(("name", "rung"), RUNGS, ids=[name for name, _ in RUNGS])
def test_a_rung_leaves_a_sound_document_alone(name: str, rung: Any) -> None:
    """Names are folded already in it; everything else must not even be touched."""
    assert rung(SOUND) == SOUND


def test_stray_markup_of_a_customer_is_their_text() -> None:
    draft = only(swapped("Still there?", "mail <zoe@example.org> & if a<b"))
    assert draft.message == "mail <zoe@example.org> & if a<b"


def test_what_stands_around_is_kept() -> None:
    assert only("New lead:\n" + SOUND + "\nSent by Cars").extras["adf.outside"] == "New lead: Sent by Cars"


CHARSETS = [
    ("S1", SOUND.encode(), "text/plain; charset=utf-8"),
    ("S2", SOUND.encode("latin-1"), 'text/plain; charset="ISO-8859-1"'),
    ("S3", SOUND.replace("UTF-8", "utf-16").encode(), "text/plain; charset=utf-8"),
    ("S4", SOUND.replace("UTF-8", "utf-16").encode(), None),
    ("S5", SOUND.encode("cp1252"), "text/plain; charset=us-ascii"),
    ("S6", SOUND.encode("latin-1"), None),
    ("S7", SOUND.encode("utf-16"), "application/xml"),
    ("S8", codecs.BOM_UTF8 + SOUND.encode(), "text/plain; charset=iso-8859-1"),
    ("S9", SOUND.encode("utf-16-be"), None),
    ("S10", SOUND.encode("utf-32"), None),
    ("S11", SOUND.encode(), "text/plain; charset=no-such-thing"),
    ("S12", SOUND.replace("UTF-8", "windows-1252").encode("cp1252"), "application/xml"),
    ("S13", SOUND.encode(), "text/plain; charset=utf-7"),
]


@pytest.mark.parametrize(("case", "body", "content_type"), CHARSETS, ids=[row[0] for row in CHARSETS])
def test_bytes_count_for_more_than_labels(case: str, body: bytes, content_type: str | None) -> None:
    assert only(body, content_type).name.full == "Zoë Rivers"


ENTITIES = [
    ("X1", '<!DOCTYPE adf [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
    ("X2", '<!DOCTYPE adf [<!ENTITY x "internal">]>'),
    ("X3", '<!DOCTYPE adf [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x.dtd"> %p;]>'),
    ("X4", '<!doctype adf [<!entity x "lower">]>'),
    ("X5", '<!-- <!DOCTYPE adf [<!ENTITY x "hidden">]> -->'),
]


@pytest.mark.parametrize(("case", "prolog"), ENTITIES, ids=[row[0] for row in ENTITIES])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_entity_declaration_is_refused(case: str, prolog: str, encoding: str) -> None:
    hostile = swapped("<adf>", prolog + "<adf>").replace("Still there?", "&x;")
    with pytest.raises(Rejection) as caught:
        read_all(hostile.encode(encoding), None)
    assert caught.value.reason == "xml_forbidden"


def test_a_customer_may_write_of_entities() -> None:
    draft = only(swapped("Still there?", "<![CDATA[<!ENTITY x>]]>"))
    assert draft.message == "<!ENTITY x>"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "undecodable"),
        (b"Hello, I would like to buy a car.", "undecodable"),
        (b'{"adf": 1}', "undecodable"),
        (b"<html><body>Buy now</body></html>", "payload_invalid"),
        (b"<adf/>", "payload_invalid"),
        (b"<adf><vendor>x</vendor></adf>", "payload_invalid"),
        (b"<adf>" + b"<prospect/>" * (MOST_PROSPECTS + 1) + b"</adf>", "too_large"),
        (b"<adf><prospect>" + b"<a>" * 30_000, "too_large"),
        (b"<adf><prospect " + b"a='1' " * 1_000 + b"/></adf>", "too_large"),
    ],
)
def test_what_is_no_adf_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(Rejection) as caught:
        read_all(body, None)
    assert caught.value.reason == reason


def test_a_bad_prospect_does_not_cost_its_neighbours() -> None:
    empty = SOUND.replace("</prospect>", "</prospect><prospect status='new'><customer/></prospect>")
    twice = empty.replace("</adf>", SOUND[SOUND.index("<prospect") :].replace("77", "78"))
    first, second, third = read_all(twice.encode(), None)
    assert isinstance(second, Rejection)
    assert second.reason == "payload_invalid"
    assert [one.external_id for one in (first, third) if isinstance(one, Draft)] == ["77", "78"]


def test_several_documents_in_one_body() -> None:
    drafts = read_all((SOUND + SOUND.replace("77", "78")).encode(), None)
    assert [one.external_id for one in drafts if isinstance(one, Draft)] == ["77", "78"]


def test_nested_too_deep_is_read_as_far_as_it_goes_and_said_so() -> None:
    document = swapped("Still there?", "Still there?" + "<q>" * 300 + "deepword" + "</q>" * 300)
    (outcome,) = read_all(document.encode(), None)
    assert isinstance(outcome, Draft)
    assert "recovered" in rungs(outcome)
    assert "text_lost" in [one.code for one in outcome.warnings]
    assert "deepword" in outcome.extras["adf.unread"]


def test_the_golden_mails_bytes_are_read_alike_by_file_and_by_hand() -> None:
    golden = Path(__file__).parents[2] / "adf-mailer" / "tests" / "golden" / "chat.eml"
    body = golden.read_bytes()
    document = body[body.index(b"<?xml") :]
    assert read_all(body, "message/rfc822") == read_all(document, "text/plain; charset=us-ascii")
    assert read_documents(document, None).documents[0].rungs == ()


def test_a_name_that_xml_has_not_is_read_as_it_stands() -> None:
    """Found by the fuzzer: mending leaves `price:0`, which lxml itself takes for no name."""
    customer = b"<customer:0><contact><email>a@b.example</email></contact></customer:0>"
    body = b"<adf><prospect>" + customer + b"</prospect></adf>"
    (outcome,) = read_all(body, None)
    assert isinstance(outcome, Draft)
    assert "a@b.example" in " ".join(outcome.extras.values())
