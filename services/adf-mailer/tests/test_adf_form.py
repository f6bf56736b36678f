"""FM1–FM56: the setting `form` of a route, on the bytes of its mails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
from adf_mailer.domain import validation
from adf_mailer.domain.fixed_texts import LANGUAGES, Language, fixed_texts
from adf_mailer.domain.letter import Written, delivery_key, write
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.mail import Letter, compose
from adf_mailer.domain.route import AdfRoute, Route
from adf_mailer.domain.shape import Shape
from leadbus.contracts import Lead
from lxml import etree
from pydantic import ValidationError

Make = Callable[..., Written]
SPEC = {"dealer": "prairie-motors", "address": "leads@prairie.example"}
TEXT, XML = "text/plain; charset=us-ascii", "application/xml; charset=us-ascii"
NAMED = f'{XML}; name="lead.xml"'
LONG_RECORDING = "https://rec.example/" + "a" * 1200


@pytest.fixture
def written(golden_lead: Callable[..., Lead], make_route: Callable[..., Route]) -> Make:
    """`written({"layout": "both"}, kind="chat", message="…")`: a golden lead's mail in that form."""

    def make(form: dict[str, Any] | None, kind: str = "rich", **changes: Any) -> Written:
        lead, route = golden_lead(kind, **changes), make_route(form=form)
        return write(
            lead,
            route,
            status="new",
            date=datetime(2026, 4, 14, 16, 3, 9, tzinfo=UTC),
            letterhead=Letterhead("leads@leadbus.example"),
            key=delivery_key(lead, route),
        )

    return make


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def parts(raw: bytes) -> list[tuple[str, str | None, str | None]]:
    """Content type, disposition and transfer encoding of the mail and its parts, as they are written."""
    return [
        (
            part["Content-Type"].split("; boundary")[0],
            part["Content-Disposition"],
            part["Content-Transfer-Encoding"],
        )
        for part in message_from_bytes(raw).walk()
    ]


def documents(raw: bytes) -> list[bytes]:
    contents = [part.get_payload(decode=True) for part in read(raw).walk() if not part.is_multipart()]
    return [content for content in contents if isinstance(content, bytes) and b"<adf>" in content]


MIXED = ("multipart/mixed", None, "7bit")
FILE = 'attachment; filename="lead.xml"'


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param(None, [(TEXT, None, "7bit")], id="FM1-nothing-said"),
        pytest.param({"layout": "body"}, [(TEXT, None, "7bit")], id="FM2-body"),
        pytest.param(
            {"layout": "attachment"},
            [MIXED, (TEXT, None, "7bit"), (NAMED, FILE, "7bit")],
            id="FM3-attachment",
        ),
        pytest.param({"layout": "both"}, [MIXED, (TEXT, None, "7bit"), (NAMED, FILE, "7bit")], id="FM4-both"),
        pytest.param(
            {"layout": "multipart"}, [MIXED, (TEXT, None, "7bit"), (XML, None, "7bit")], id="FM5-multipart"
        ),
        pytest.param(
            {"mime_type": "application/x-adf+xml"},
            [("application/x-adf+xml; charset=us-ascii", None, "7bit")],
            id="FM6-mime-type-of-a-body",
        ),
        pytest.param(
            {"layout": "both", "mime_type": "text/xml"},
            [
                MIXED,
                (TEXT, None, "7bit"),
                ('text/xml; charset=us-ascii; name="lead.xml"', FILE, "7bit"),
            ],
            id="FM7-mime-type-of-the-file-alone",
        ),
        pytest.param(
            {"layout": "multipart", "charset": "utf-8"},
            [MIXED, (TEXT, None, "7bit"), ("application/xml; charset=utf-8", None, "7bit")],
            id="FM8-utf-8-is-a-label-on-ascii",
        ),
        pytest.param(
            {"layout": "attachment", "attachment_name": "Prairie_1.adf"},
            [
                MIXED,
                (TEXT, None, "7bit"),
                (f'{XML}; name="Prairie_1.adf"', 'attachment; filename="Prairie_1.adf"', "7bit"),
            ],
            id="FM9-attachment-name",
        ),
    ],
)
def test_where_the_document_stands(
    written: Make, form: dict[str, Any] | None, expected: list[tuple[str, str | None, str | None]]
) -> None:
    raw = written(form).mail.raw

    assert parts(raw) == expected
    assert raw.isascii()
    found = documents(raw)
    assert len(found) == (2 if form and form.get("layout") == "both" else 1)
    # Byte for byte the document of the plain form, wherever it stands.
    (plain,) = documents(written(None).mail.raw)
    assert {document.strip() for document in found} == {plain.strip()}


def test_fm10_the_text_beside_the_document_says_nothing_of_the_lead(written: Make) -> None:
    lead_id = "0d5c1c9e-53a1-5b0e-9d8f-6a0f6c1f3b52"
    told = "A lead for a CRM to read: the ADF document of this mail.\r\n"
    (_, first, _) = read(written({"layout": "multipart"}).mail.raw).walk()
    assert first.get_payload() == f"{told}Lead {lead_id}"
    (_, first, _) = read(written({"layout": "multipart"}, test=True).mail.raw).walk()
    assert first.get_payload() == f"{told}This is a test: nobody is to be called.\r\nLead {lead_id}"


@pytest.mark.parametrize("layout", ["attachment", "multipart"])
@pytest.mark.parametrize("test", [False, True], ids=["lead", "test"])
@pytest.mark.parametrize("language", [pytest.param(one, id=f"FM55-{one}") for one in LANGUAGES])
def test_the_words_beside_the_document_are_in_the_routes_language(
    golden_lead: Callable[..., Lead],
    make_route: Callable[..., Route],
    language: Language,
    test: bool,
    layout: str,
) -> None:
    lead = golden_lead("rich", test=test)
    route = make_route(form={"layout": layout}, language=language)
    date, letterhead = datetime(2026, 4, 14, 16, 3, 9, tzinfo=UTC), Letterhead("leads@leadbus.example")
    mail = write(
        lead, route, status="new", date=date, letterhead=letterhead, key=delivery_key(lead, route)
    ).mail
    words = fixed_texts()[language]
    told = [words["note_lead"], *([words["note_test"]] if test else []), words["note_id"]]
    text = "\n".join(told).format(lead_id=lead.lead_id)

    note, _ = read(mail.raw).iter_parts()
    assert isinstance(note, EmailMessage)
    assert note.get_content().replace("\r\n", "\n").rstrip() == text
    charset, encoding = ("us-ascii", "7bit") if text.isascii() else ("utf-8", "quoted-printable")
    assert parts(mail.raw)[1] == (f"text/plain; charset={charset}", None, encoding)
    assert parts(mail.raw)[2][2] == "7bit"
    assert mail.raw.isascii()
    assert all(len(line) <= 76 for line in str(note.get_payload()).splitlines())


def test_fm56_the_words_beside_the_document_are_in_the_language_of_the_dealers_locale(written: Make) -> None:
    dealer = {"dealer_id": "prairie-motors", "name": "P", "locale": "pl-PL"}
    note, _ = read(written({"layout": "attachment"}, dealer=dealer).mail.raw).iter_parts()

    assert fixed_texts()["pl"]["note_lead"] in note.get_content()


LETTER = Letter(
    from_address="leads@leadbus.example",
    from_display="x",
    to_address="leads@prairie.example",
    subject="x",
    date=datetime(2026, 4, 14, 16, 3, 9, tzinfo=UTC),
    message_id="<8a6e0804-2bd0-4672-b79d-d97027f9071a@leadbus.example>",
    lead_id=UUID(int=1),
    revision=1,
)


def boundary(raw: bytes) -> str:
    return str(read(raw).get_boundary())


def test_fm11_the_same_mail_has_the_same_boundary_and_another_mail_another() -> None:
    def of(letter: Letter) -> bytes:
        return compose(letter, b"<adf/>\n", encoded=False, shape=Shape(layout="multipart")).raw

    assert of(LETTER) == of(LETTER)
    assert boundary(of(LETTER)) != boundary(of(replace(LETTER, message_id="<b@leadbus.example>")))


@pytest.mark.parametrize("encoded", [False, True])
def test_fm12_a_boundary_stands_nowhere_in_the_content(encoded: bool) -> None:
    shape = Shape(layout="both")
    tried: list[str] = []
    for _ in range(4):
        document = "\n--".join(["<adf>", *tried, "</adf>\n"]).encode()
        raw = compose(LETTER, document, encoded=encoded, shape=shape).raw
        assert boundary(raw) not in tried
        assert raw.count(boundary(raw).encode()) == 4
        assert [one.strip() for one in documents(raw)] == [document.strip().replace(b"\n", b"\r\n")] * 2
        tried.append(boundary(raw))


@pytest.mark.parametrize(
    ("layout", "encodings"),
    [
        pytest.param("body", ["quoted-printable"], id="FM13-body"),
        pytest.param("attachment", ["7bit", "7bit", "quoted-printable"], id="FM14-attachment"),
        pytest.param("both", ["7bit", "quoted-printable", "quoted-printable"], id="FM15-both"),
        pytest.param("multipart", ["7bit", "7bit", "quoted-printable"], id="FM16-multipart"),
    ],
)
@pytest.mark.parametrize("cdata", [False, True])
def test_a_recording_link_too_long_for_a_line_stays_whole(
    written: Make, layout: str, encodings: list[str], cdata: bool
) -> None:
    result = written(
        {"layout": layout, "cdata": cdata}, "tracked_call", call={"recording_url": LONG_RECORDING}
    )
    raw = result.mail.raw

    assert [encoding for _, _, encoding in parts(raw)] == encodings
    assert "encoded" in {warning.code for warning in result.warnings}
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    for document in documents(raw):
        assert LONG_RECORDING.encode() in document
        assert validation.problems(document) == []


CDATA = [
    pytest.param("a < b & c", "<![CDATA[a < b & c]]>", id="FM17-nothing-to-escape"),
    pytest.param("one\n<two>\n\nthree", "<![CDATA[one\n<two>\n\nthree]]>", id="FM18-lines-share-a-section"),
    pytest.param("a ]]> b", "<![CDATA[a ]]]]><![CDATA[> b]]>", id="FM19-end-mark-is-split"),
    pytest.param(
        "a & b\nGröße & Preis ]]>\nc < d",
        "<![CDATA[a & b]]>\nGr&#246;&#223;e &amp; Preis ]]&gt;\n<![CDATA[c < d]]>",
        id="FM20-references-stand-outside",
    ),
    pytest.param("é", "&#233;", id="FM21-nothing-but-a-reference"),
    pytest.param(
        "say &lt; &amp; &#233; so", "<![CDATA[say &lt; &amp; &#233; so]]>", id="FM22-typed-entities"
    ),
    pytest.param("]]>" * 100, "]]&gt;" * 100, id="FM23-a-line-that-would-grow-too-long"),
]


@pytest.mark.parametrize(("typed", "content"), CDATA)
def test_comments_as_cdata(written: Make, typed: str, content: str) -> None:
    vehicle = {"comments": typed, "prices": [{"kind": "call"}]}
    result = written({"cdata": True}, "tracked_call", vehicles=[vehicle])
    (document,) = documents(result.mail.raw)

    assert f"<comments>{content}</comments>" in document.decode().replace("\r\n", "\n")
    assert b"<pricecomments><![CDATA[Price on request]]></pricecomments>" in document
    root = etree.fromstring(document.replace(b"\r\n", b"\n"))
    assert root.findtext("prospect/vehicle/comments") == typed
    assert "degraded" not in {warning.code for warning in result.warnings}


def test_fm24_only_free_texts_are_cdata(written: Make) -> None:
    (document,) = documents(written({"cdata": True}, subject="a & b").mail.raw)

    assert b"<![CDATA[" in document
    for element in etree.fromstring(document, etree.XMLParser(strip_cdata=False)).iter():
        inner = etree.tostring(element, with_tail=False)
        assert (b"<![CDATA[" in inner) <= (b"comments>" in inner)


def test_fm25_without_the_declaration_the_document_begins_with_the_instruction(written: Make) -> None:
    (document,) = documents(written({"xml_declaration": False}).mail.raw)
    (usual,) = documents(written({"xml_declaration": True}).mail.raw)

    assert usual == b'<?xml version="1.0" encoding="UTF-8"?>\r\n' + document
    assert document.startswith(b'<?adf version="1.0"?>\r\n<adf>')
    assert etree.fromstring(document).findtext("prospect/vehicle/make") == "Škoda"


@pytest.mark.parametrize(
    ("form", "language", "found"),
    [
        pytest.param({"extensions": True}, "de", {"leadtype": "Chat", "language": "de"}, id="FM26-on"),
        pytest.param({"extensions": True}, None, {"leadtype": "Chat"}, id="FM27-nothing-to-say"),
        pytest.param({"extensions": False}, "de", {}, id="FM28-off"),
        pytest.param(None, "de", {}, id="FM29-nothing-said"),
    ],
)
def test_extensions(
    written: Make, form: dict[str, Any] | None, language: str | None, found: dict[str, str]
) -> None:
    result = written(form, customer={"name": {"full": "A"}, "language": language})
    (document,) = documents(result.mail.raw)
    prospect = etree.fromstring(document)[0]

    paths = {"leadtype": "provider/leadtype", "language": "customer/language"}
    assert {
        name: prospect.findtext(path) for name, path in paths.items() if prospect.find(path) is not None
    } == (found)
    assert bool(validation.problems(document)) == bool(found)
    assert validation.problems(document, extensions=True) == []
    assert "degraded" not in {warning.code for warning in result.warnings}


def test_fm30_with_extensions_a_document_is_checked_all_the_same(written: Make) -> None:
    (document,) = documents(written({"extensions": True}).mail.raw)
    twice = document.replace(b"<leadtype>", b"<leadtype>x</leadtype><leadtype>")
    elsewhere = document.replace(b"<leadtype>Chat</leadtype>", b"")
    elsewhere = elsewhere.replace(b"<year>", b"<leadtype>Chat</leadtype><year>", 1)

    for broken in (twice, elsewhere, document.replace(b"<vendorname>", b"<vendorname/><vendorname>")):
        assert validation.problems(broken, extensions=True) != []


PHONES = [
    pytest.param("e164", "+17735550162", "+17735550162", id="FM31-e164"),
    pytest.param("national", "+17735550162", "(773) 555-0162", id="FM32-national"),
    pytest.param("international", "+17735550162", "+1 773-555-0162", id="FM33-international"),
    pytest.param("national", "+493012345678", "030 12345678", id="FM34-another-countrys"),
    pytest.param("international", "+493012345678", "+49 30 12345678", id="FM35"),
    pytest.param("national", "+9991234567", "+9991234567", id="FM36-of-no-country"),
    pytest.param("international", "12 34 56", "12 34 56", id="FM37-not-to-be-parsed"),
    pytest.param("national", "+49110", "+49110", id="FM50-too-short-without-its-country"),
]


@pytest.mark.parametrize(("wanted", "e164", "shown"), PHONES)
def test_phone_format(written: Make, wanted: str, e164: str, shown: str) -> None:
    phones = [
        {"e164": e164, "raw": "x", "extension": "12"},
        {"e164": None, "raw": "773.555.0199"},
    ]
    result = written({"phone_format": wanted}, customer={"phones": phones})
    (document,) = documents(result.mail.raw)
    contact = etree.fromstring(document).find("prospect/customer/contact")

    assert contact is not None
    assert [one.text for one in contact.findall("phone")] == [f"{shown} x12", "773.555.0199"]
    # Whoever has no name is called by the number, in the same format.
    assert contact.findtext("name") == f"{shown} x12"
    assert validation.problems(document) == []


@pytest.mark.parametrize(
    ("vehicle", "attributes"),
    [
        pytest.param({"interest": "buy"}, {"interest": "buy"}, id="FM51-wanted-of-unknown-status"),
        pytest.param({"interest": "trade_in"}, {"interest": "trade-in"}, id="FM52-trade-in"),
        pytest.param(
            {"interest": "buy", "status": "used"}, {"interest": "buy", "status": "used"}, id="FM53-known"
        ),
    ],
)
def test_an_unknown_status_is_left_out_where_the_route_says_so(
    written: Make, vehicle: dict[str, Any], attributes: dict[str, str]
) -> None:
    (document,) = documents(written({"unknown_status": "left_out"}, vehicles=[vehicle]).mail.raw)
    element = etree.fromstring(document).find("prospect/vehicle")

    assert element is not None
    assert sorted(element.items()) == sorted(attributes.items())
    assert validation.problems(document) == []


@pytest.mark.parametrize(
    ("form", "place", "message"),
    [
        pytest.param({"profile": "vinsolutions"}, ("profile",), "there are default, elead", id="FM38"),
        pytest.param({"profile": "eLead"}, ("profile",), "no profile of that name", id="FM39-case-counts"),
        pytest.param({"layout": "html"}, ("layout",), "'multipart'", id="FM40"),
        pytest.param({"mime_type": "text/html"}, ("mime_type",), "application/x-adf+xml", id="FM41"),
        pytest.param({"charset": "utf-16"}, ("charset",), "'utf-8'", id="FM42"),
        pytest.param({"phone_format": "local"}, ("phone_format",), "'national'", id="FM43"),
        pytest.param({"unknown_status": "used"}, ("unknown_status",), "'left_out'", id="FM54"),
        pytest.param({"attachment_name": "lead.exe"}, ("attachment_name",), "ends in .xml", id="FM44"),
        pytest.param({"attachment_name": "../lead.xml"}, ("attachment_name",), "pattern", id="FM45"),
        pytest.param({"attachment_name": 'a";x=".xml'}, ("attachment_name",), "pattern", id="FM46"),
        pytest.param({"attachment_name": "a.xml\n"}, ("attachment_name",), "pattern", id="FM47"),
        pytest.param({"attachment_name": "a" * 61 + ".xml"}, ("attachment_name",), "at most 64", id="FM48"),
        pytest.param({"quoted_printable": True}, ("quoted_printable",), "not permitted", id="FM49"),
    ],
)
def test_forms_that_are_refused(form: dict[str, Any], place: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        AdfRoute.model_validate(SPEC | {"form": form})

    (error,) = refused.value.errors()
    assert error["loc"] == ("form", *place)
    assert message in error["msg"]


def test_every_field_of_a_form_has_a_title_and_help() -> None:
    definitions = AdfRoute.model_json_schema()["$defs"]
    for name in ("MailForm", "LeadType"):
        for field, told in definitions[name]["properties"].items():
            assert told["title"] != field
            assert told["description"]
