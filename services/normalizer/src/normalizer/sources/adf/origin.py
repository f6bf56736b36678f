"""How the person came, by the words of `provider/service`, lead type and `provider/name`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from leadbus.contracts.vocabulary import Channel, ConsentBasis, Intent, PhoneType, Urgency

from normalizer.sources.adf.words import squeezed

CONTACTATONCE = "contactatonce"


@dataclass(frozen=True, slots=True)
class Manner:
    """`intents` beside those that the vehicles tell; `phone_type` of a number whose kind nobody told."""

    channel: Channel
    intents: tuple[Intent, ...] = ()
    consent: ConsentBasis = "form"
    urgency: Urgency = "normal"
    phone_type: PhoneType = "voice"
    whole: bool = False
    """The intents are all there are, whatever the vehicles tell."""


# The four services of ContactAtOnce mean what they mean in its own push.
_CONTACTATONCE: Mapping[str, Manner] = {
    "clickforcallback": Manner("phone", ("callback",), "form", "high", "unknown", whole=True),
    "chat": Manner("chat", ("inquiry",), "request", "high", "unknown", whole=True),
    "texttochat": Manner("text", ("inquiry",), "request", "high", "cellphone", whole=True),
    "trackedcall": Manner("phone", ("inquiry",), "request", "normal", "unknown", whole=True),
}
_MISSED_CALL = Manner("phone", ("inquiry", "callback"), "request", "high", "unknown", whole=True)

_DIRECT: tuple[tuple[Channel, re.Pattern[str]], ...] = (
    ("text", re.compile(r"\b(?:sms|texts?|texting|text to chat|texttochat)\b")),
    ("chat", re.compile(r"\b(?:chats?|live ?chat|web ?chat|messenger|whats ?app|chatbot)\b")),
    (
        "phone",
        re.compile(
            r"\b(?:phone(?: ?(?:call|up|lead))?|calls?|call ?tracking|tracked ?call|voice ?mail|"
            r"inbound ?call|click ?to ?call)\b"
        ),
    ),
    ("walk_in", re.compile(r"\b(?:walk ?in|show ?room|floor ?up|drive ?up)\b")),
)
_WRITTEN: tuple[tuple[Channel, re.Pattern[str]], ...] = (
    ("email", re.compile(r"\be ?mails?\b")),
    (
        "form",
        re.compile(
            r"\b(?:forms?|web ?site|web ?leads?|internet|online|contact us|quote|e ?price|test ?drive|build|"
            r"application|configurator|appraisal|trade ?in|inquiry|enquiry|(?:check )?availability|"
            r"landing ?page|facebook|lead ?ads?|appointment|schedule)\b"
        ),
    ),
)
_INTENTS: tuple[tuple[Intent, re.Pattern[str]], ...] = (
    ("test_drive", re.compile(r"\btest ?drives?\b")),
    ("callback", re.compile(r"\b(?:call ?back|call ?me|request ?a ?call|click ?for ?call ?back)\b")),
    ("quote", re.compile(r"\b(?:quotes?|rfq|quotation)\b")),
    ("price", re.compile(r"\b(?:e ?price|best ?price|price ?(?:alert|request|drop)|pricing)\b")),
    ("documentation", re.compile(r"\bbrochures?\b")),
    (
        "financing",
        re.compile(r"\b(?:financ(?:e|ing)|credit(?: ?app(?:lication)?)?|loan|pre ?qual\w*|pre ?approv\w*)\b"),
    ),
    ("leasing", re.compile(r"\bleas(?:e|ing)\b")),
    ("reservation", re.compile(r"\b(?:reserv(?:e|ation)|deposit|pre ?order)\b")),
    ("trade_in", re.compile(r"\b(?:trade(?: ?in)?|appraisal|value ?your ?trade|sell ?(?:my|your) ?car)\b")),
    ("configuration", re.compile(r"\b(?:configurat(?:or|ion)|build ?(?:and|&) ?price|byo)\b")),
    (
        "service",
        re.compile(
            r"\b(?:service ?(?:appointment|request|scheduling|lead|department)|schedule ?service|parts)\b"
        ),
    ),
    ("campaign", re.compile(r"\b(?:campaign|direct ?mail|promotion)\b")),
)
_PROVIDERS: tuple[tuple[Channel, tuple[str, ...]], ...] = (
    (
        "portal",
        (
            *("autotrader", "carscom", "cargurus", "edmunds", "truecar", "kbb", "kelleybluebook", "carfax"),
            *(
                "autobytel",
                "kijiji",
                "carsforsale",
                "carsdirect",
                "autoweb",
                "mobilede",
                "autoscout",
                "carzone",
            ),
            *(
                "ebaymotors",
                "carsoup",
                "autolist",
                "iseecars",
                "carpages",
                "carvana",
                "costcoauto",
                "usedcars",
            ),
            *("wheelsca", "autohebdo", "lesPAC".lower(), "facebookmarketplace", "offerup", "craigslist"),
        ),
    ),
    ("chat", ("gubagoo", "activengage", "carchat", "livechat", "liveperson", "chatlead", "dealerchat")),
    ("phone", ("callrail", "callsource", "centurytelecom", "whoscalling", "calldrip", "marchex")),
    ("form", ("leaddriver", "leadsync", "formester", "dealercom", "dealeron", "dealerinspire", "dealerfire")),
)
_JOINTS = re.compile(r"[^\w]+|_")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def manner_of(provider: str | None, words: tuple[str | None, ...], *, answered: bool | None) -> Manner:
    """`words` are service and lead type, the most telling first; `answered` whether a call was, if known.

    The channel is what a direct way says (call, chat, text, showroom), else that of a known provider, else
    what a written way says, else unknown.
    """
    if CONTACTATONCE in squeezed(provider):
        for word in words:
            if (known := _CONTACTATONCE.get(squeezed(word))) is not None:
                return _MISSED_CALL if squeezed(word) == "trackedcall" and answered is False else known
    said = " ".join(_spaced(word) for word in words if word)
    channel = _channel(squeezed(provider), said)
    intents = tuple(intent for intent, form in _INTENTS if form.search(said))
    direct = channel in ("phone", "chat", "text", "walk_in")
    return Manner(
        channel,
        intents,
        "request" if direct or channel == "unknown" else "form",
        "high" if "callback" in intents else "normal",
        "cellphone" if channel == "text" else "voice",
    )


def _channel(provider: str, said: str) -> Channel:
    for channel, form in _DIRECT:
        if form.search(said):
            return channel
    for channel, names in _PROVIDERS:
        if provider and any(name in provider for name in names):
            return channel
    for channel, form in _WRITTEN:
        if form.search(said):
            return channel
    return "unknown"


def _spaced(word: str) -> str:
    """`ClickForCallBack` and `click-for-call-back` as the same words."""
    return " ".join(_JOINTS.sub(" ", _HUMP.sub(" ", word[:200])).casefold().split())
