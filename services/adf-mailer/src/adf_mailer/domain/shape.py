"""What a mail can look like: where the document stands in it, how it is labelled and how it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Layout = Literal["body", "attachment", "both", "multipart"]
MimeType = Literal["text/plain", "application/xml", "text/xml", "application/x-adf+xml"]
Charset = Literal["us-ascii", "utf-8"]
PhoneFormat = Literal["e164", "national", "international"]
UnknownStatus = Literal["written", "left_out"]

_ENDINGS = (".xml", ".adf")


def _safe_name(value: str) -> str:
    if not value.lower().endswith(_ENDINGS):
        raise ValueError(
            f"the name of the attachment ends in {' or '.join(_ENDINGS)}, for programs go by that"
        )
    return value


AttachmentName = Annotated[
    str,
    # Nothing that has to be quoted in a header or means something in a path.
    Field(min_length=5, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
    AfterValidator(_safe_name),
]


class FormFields(BaseModel):
    """Each as wanted, or None: then somebody else decides."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    layout: Layout | None = Field(
        None,
        title="Layout",
        description="`body`: the document is all there is; `attachment`: a line of text, and the document as "
        "a file; `both`: the document as text and as a file; `multipart`: a line of text and a part that is "
        "the document, as the ADF standard has it. Otherwise `body`.",
    )
    mime_type: MimeType | None = Field(
        None,
        title="MIME type",
        description="Of the part that holds the document; in `both`, of the file. Otherwise `text/plain` for "
        "a body, else `application/xml`.",
    )
    charset: Charset | None = Field(
        None,
        title="Character set",
        description="What the document's part is labelled with. Its bytes are ASCII either way: other "
        "characters are references. Otherwise `us-ascii`.",
    )
    cdata: bool | None = Field(
        None,
        title="CDATA",
        description="On: comments are CDATA, but for lines with characters outside ASCII. Otherwise off.",
    )
    xml_declaration: bool | None = Field(
        None, title="XML declaration", description="Off: the document begins with `<?adf`. Otherwise on."
    )
    extensions: bool | None = Field(
        None,
        title="Extensions",
        description="On: provider/leadtype and customer/language, which are not ADF 1.0. Otherwise off.",
    )
    phone_format: PhoneFormat | None = Field(
        None,
        title="Phone format",
        description="Of the customer's numbers: `e164` (+17735550162), `national` ((773) 555-0162) or "
        "`international` (+1 773-555-0162). Otherwise `e164`.",
    )
    unknown_status: UnknownStatus | None = Field(
        None,
        title="Vehicle of unknown status",
        description="Where nobody said whether a vehicle is new or used, `written`: `used` of one that the "
        "customer gives away, else `new`, which is what ADF takes it for anyway; `left_out`: nothing. "
        "Otherwise `written`.",
    )
    attachment_name: AttachmentName | None = Field(
        None,
        title="Attachment name",
        description="File name where the layout has a file: letters, digits, `.`, `-` and `_`, ending in "
        "`.xml` or `.adf`. Otherwise `lead.xml`.",
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """`FormFields` with nothing left open. As it stands: the form that most receivers parse."""

    layout: Layout = "body"
    mime_type: MimeType = "text/plain"
    charset: Charset = "us-ascii"
    cdata: bool = False
    xml_declaration: bool = True
    extensions: bool = False
    phone_format: PhoneFormat = "e164"
    unknown_status: UnknownStatus = "written"
    attachment_name: str = "lead.xml"


DEFAULT = Shape()


def shaped(*wishes: FormFields) -> Shape:
    """Of each field what the first of `wishes` says that says anything, else the default."""
    said = {
        name: value
        for wish in reversed(wishes)
        for name in FormFields.model_fields
        if (value := getattr(wish, name)) is not None
    }
    if said.get("layout", "body") != "body":
        said.setdefault("mime_type", "application/xml")
    return Shape(**said)
