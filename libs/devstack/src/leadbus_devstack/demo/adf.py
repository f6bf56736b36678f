"""ADF of other providers: posted, published, and as the mail that providers send."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP

from leadbus_devstack.demo.lead import DemoLead, Way
from leadbus_devstack.demo.prospect import saying

RECIPIENT = "prairie-cars@leads.leadbus.example"
"""Where the provider of the mailed one was told to send: the address of a MailRecipient."""
_DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<?adf version="1.0"?>
<adf><prospect>
<id sequence="1" source="{provider}">{id}</id>
<requestdate>2026-04-14T11:03:05-05:00</requestdate>
<vehicle interest="trade-in"><year>2012</year><make>Opel</make><model>Corsa</model></vehicle>
<vehicle interest="buy" status="used"><year>2020</year><make>{make}</make><model>{model}</model></vehicle>
<customer><contact><name part="full">{name}</name><email>{email}</email><phone>{phone}</phone></contact>
<comments>{words}</comments></customer>
<vendor><vendorname>{vendor}</vendorname></vendor>
<provider><name part="full">{provider}</name></provider>
</prospect></adf>
"""
_PRAIRIE = ("Prairie Motors", "prairiemotors@eleadtrack.example")
_LAKESIDE = ("Lakeside Ford", "sales@lakesideford.dealerspace.example")


def leads() -> list[DemoLead]:
    """The mailed one names no dealer of ours, and goes to the one whose address it came to."""
    return [
        _lead("posted", "HTTP", _PRAIRIE, "AX-31", "Zoë Rivers", "(312) 555-0133", "Dodge Ram"),
        _lead("published", "queue", _LAKESIDE, "AX-32", "Sam O'Neil", "773-555-0134", "Ford Escape"),
        _lead("mailed", "mail", _PRAIRIE, "AX-33", "Lena Park", "312.555.0135", "Mazda CX-5", vendor=""),
    ]


def _lead(
    kind: str,
    way: Way,
    dealer: tuple[str, str],
    id_: str,
    name: str,
    phone: str,
    vehicle: str,
    *,
    vendor: str | None = None,
) -> DemoLead:
    make, _, model = vehicle.partition(" ")
    email = f"{name.split()[0].lower().replace('ë', 'e')}@example.net"
    words = f"Is the {model} still there?"
    document = _DOCUMENT.format(
        provider="AutoWeb",
        id=id_,
        make=make,
        model=model,
        name=name,
        email=email,
        phone=phone,
        words=words,
        vendor=dealer[0] if vendor is None else vendor,
    )
    return DemoLead(
        source="adf",
        kind=kind,
        external_id=id_,
        way=way,
        media_type="message/rfc822" if way == "mail" else "application/xml",
        body=_mail(document, id_) if way == "mail" else document.encode(),
        dealer=dealer[0],
        address=dealer[1],
        says=saying(
            provider="ADF",  # a route does not say yet whose name it gives to leads of many providers
            id_=id_,
            name=name,
            phone="+1" + "".join(digit for digit in phone if digit.isdigit()),
            email=email,
            words=(words,),
        ),
    )


def _mail(document: str, id_: str) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "AutoWeb <leads@autoweb.example>"
    mail["To"] = RECIPIENT
    mail["Subject"] = "New lead"
    mail["Message-ID"] = f"<{id_}@autoweb.example>"
    mail.set_content("A lead is attached.")
    mail.add_attachment(document.encode(), maintype="application", subtype="xml", filename="lead.xml")
    return bytes(mail)
