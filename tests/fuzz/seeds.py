"""Inputs that a fuzzer begins with: sound ones, and ones with each of the faults that are repaired."""

from __future__ import annotations

from pathlib import Path

_SERVICES = Path(__file__).parents[2] / "services"

_SOUND = """<?xml version="1.0" encoding="UTF-8"?>
<?adf version="1.0"?>
<adf><prospect status="new"><id sequence="1" source="Cars">77</id>
<requestdate>2026-04-14T11:03:05-05:00</requestdate>
<vehicle interest="buy" status="used"><year>2020</year><make>Dodge</make><model>Ram</model>
<vin>1M8GDM9AXKP042788</vin><price type="asking" currency="USD">27995</price><odometer units="mi">9</odometer>
</vehicle><vehicle interest="trade-in"><year>2012</year><make>Opel</make><model>Corsa</model></vehicle>
<customer><contact><name part="first">Zoë</name><name part="last">Rivers</name><email>zoe@example.org</email>
<phone type="voice" time="day">312 555 0148</phone><address><street line="1">1 Elm</street><city>Joliet</city>
<postalcode>60431</postalcode><country>US</country></address></contact>
<timeframe><description>soon</description></timeframe><comments>Still there?</comments></customer>
<vendor><id source="Cars">40217</id><vendorname>Prairie Motors</vendorname></vendor>
<provider><name part="full">Cars</name><service>Leads</service></provider></prospect></adf>
"""
_SECOND = "<prospect><requestdate>04/14/2026 9:05 PM</requestdate><customer/></prospect></adf>"

ADF: tuple[bytes, ...] = tuple(
    text.encode()
    for text in (
        _SOUND,
        _SOUND.replace("</adf>", _SECOND),
        _SOUND.replace("Still there?", "Still <b>there & then?"),
        _SOUND.partition("</prospect>")[0],
        "&lt;adf&gt;&lt;prospect&gt;&lt;/prospect&gt;&lt;/adf&gt;",
        f"<html><body><pre>{_SOUND}</pre></body></html>",
    )
)

_HEADERS = (
    "From: Cars <leads@cars.example>\r\nTo: a@b.example\r\nSubject: Lead\r\nMessage-ID: <1@cars.example>\r\n"
)
_PLAIN = f"{_HEADERS}Content-Type: text/plain; charset=utf-8\r\n\r\n{_SOUND}"
_ATTACHED = (
    f'{_HEADERS}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="="\r\n\r\n'
    "--=\r\nContent-Type: text/plain\r\n\r\nA lead is attached.\r\n"
    "--=\r\nContent-Type: application/xml; charset=utf-8\r\n"
    f'Content-Disposition: attachment; filename="lead.xml"\r\n\r\n{_SOUND}\r\n--=--\r\n'
)

MAILS: tuple[bytes, ...] = (
    _PLAIN.encode(),
    _ATTACHED.encode(),
    f"{_HEADERS}Content-Type: text/html\r\n\r\n<p>Hello,</p><p>is it still there?</p>".encode(),
)

BOUNCES: tuple[bytes, ...] = tuple(
    file.read_bytes() for file in sorted((_SERVICES / "adf-mailer" / "tests" / "bounces").glob("*.eml"))
)
