"""ADF of other providers: posted, published, and as the mail that providers send."""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.policy import SMTP

from leadbus_devstack.demo import virtualexpo
from leadbus_devstack.demo.lead import DemoLead, Way
from leadbus_devstack.demo.prospect import saying

_PRAIRIE_RECIPIENT = "prairie-cars@leads.leadbus.example"
"""Where the provider of the mailed one was told to send: the address of a MailRecipient."""
_PROVIDER = "AutoWeb"
_EXPO_RECIPIENT = "hoffmann-expo@leads.leadbus.example"
TWIN, TWIN_OF = "AX-34", virtualexpo.REQUEST
"""One request that came twice, as in a test phase: mailed by the marketplace, and fetched from it."""
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
_HOFFMANN = ("Autohaus Hoffmann", "leads@autohaus-hoffmann.dealercrm.example")
_LAKESIDE = ("Lakeside Ford", "used@lakesideford.dealerspace.example")


def leads() -> list[DemoLead]:
    """The mailed ones name no dealer of ours, and go to the one whose address they came to."""
    zoe = ("Zoë Rivers", "zoe@example.net", "(312) 555-0133")
    sam = ("Sam O'Neil", "sam@example.net", "773-555-0134")
    lena = ("Lena Park", "lena@example.net", "312.555.0135")
    claire = ("Claire Le Goff", virtualexpo.REQUEST_EMAIL, "+33 2 98 55 01 36")
    return [
        _lead("posted", "HTTP", _PRAIRIE, "AX-31", zoe, "Dodge Ram"),
        _lead("published", "queue", _LAKESIDE, "AX-32", sam, "Ford Escape"),
        _lead("mailed", "mail", _PRAIRIE, "AX-33", lena, "Mazda CX-5", recipient=_PRAIRIE_RECIPIENT),
        _lead("twin", "mail", _HOFFMANN, TWIN, claire, "Refrigerated body KB 7", recipient=_EXPO_RECIPIENT),
    ]


def _lead(
    kind: str,
    way: Way,
    dealer: tuple[str, str],
    id_: str,
    person: tuple[str, str, str],
    vehicle: str,
    *,
    recipient: str = "",
) -> DemoLead:
    name, email, phone = person
    make, _, model = vehicle.partition(" ")
    words = f"Is the {model} still there?"
    document = _DOCUMENT.format(
        provider=_PROVIDER,
        id=id_,
        make=make,
        model=model,
        name=name,
        email=email,
        phone=phone,
        words=words,
        vendor="" if recipient else dealer[0],
    )
    return DemoLead(
        source="adf",
        kind=kind,
        external_id=id_,
        way=way,
        media_type="message/rfc822" if way == "mail" else "application/xml",
        body=_mail(document, id_, recipient) if recipient else document.encode(),
        dealer=dealer[0],
        address=dealer[1],
        says=saying(
            provider=_PROVIDER,
            id_=id_,
            name=name,
            phone=("" if phone.startswith("+") else "+1") + re.sub(r"[^0-9+]", "", phone),
            email=email,
            words=(words,),
        ),
    )


def _mail(document: str, id_: str, recipient: str) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "AutoWeb <leads@autoweb.example>"
    mail["To"] = recipient
    mail["Subject"] = "New lead"
    mail["Message-ID"] = f"<{id_}@autoweb.example>"
    mail.set_content("A lead is attached.")
    mail.add_attachment(document.encode(), maintype="application", subtype="xml", filename="lead.xml")
    return bytes(mail)
