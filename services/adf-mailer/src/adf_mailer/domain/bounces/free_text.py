"""Bounces for people: how mail servers say in words that a mail did not arrive, or not yet."""

from __future__ import annotations

import re
from dataclasses import dataclass

from adf_mailer.domain.bounces.message import Incoming
from adf_mailer.domain.bounces.report import Action, Kind, Report, Reported, words
from adf_mailer.domain.bounces.status import found_in

_READ_CHARS = 20_000
_ADDRESS = re.compile(r"<?([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}[A-Za-z0-9])>?")
_TAG = re.compile(r"<[^<>@]{1,500}>")
_MESSAGE_ID = re.compile(r"(?im)^message-id:\s*(<[^<>\s]{1,250}>)")


@dataclass(frozen=True, slots=True)
class Form:
    """A sentence that only such bounces have, and what it says."""

    name: str
    sentence: str
    action: Action = Action.FAILED


FORMS: tuple[Form, ...] = (
    Form(
        "exim delay",
        r"this is a warning message only|message .{0,60}has not yet been delivered",
        Action.DELAYED,
    ),
    Form("gmail delay", r"delivery to the following recipients? has been delayed", Action.DELAYED),
    Form(
        "delay",
        r"delivery (?:of your message )?(?:is|has been) delayed|will (?:keep|continue) trying",
        Action.DELAYED,
    ),
    Form("qmail", r"i(?:'m| am) afraid i (?:wasn't|was not) able to deliver your message"),
    Form("exim", r"message was created automatically by mail delivery software"),
    Form("exchange", r"your message did(?: not|n't) reach some or all of the intended recipients"),
    Form("exchange", r"delivery has failed to these recipients or (?:groups|distribution lists)"),
    Form("microsoft 365", r"your message (?:to .{0,80} )?couldn't be delivered"),
    Form("gmail", r"delivery to the following recipients? failed permanently"),
    Form("gmail", r"your message wasn't delivered to|address not found.{0,200}wasn't delivered"),
    Form("postfix", r"your message could not be\s+delivered to one or more recipients"),
    Form("sendmail", r"the following addresses had permanent (?:fatal )?errors"),
    Form("several", r"could not be delivered to (?:one or more|all|some|the following)"),
    Form(
        "several",
        r"undeliver(?:able|ed) (?:mail|message)|mail delivery failed|returned mail:|delivery failure",
    ),
)
"""The first that fits counts: what is delayed may also say that it could not be delivered yet."""

_COPY = re.compile(
    r"(?im)^(?:-{2,} ?(?:below this line|this is a copy|original message|the header|returned message)"
    r"|original message (?:headers|follows)|<\?xml|<adf|received: from )"
)
_FORMS = tuple((form, re.compile(form.sentence, re.IGNORECASE | re.DOTALL)) for form in FORMS)


def free_text(mail: Incoming) -> Report | None:
    """A bounce in words; None where no form fits."""
    shown = _shown(mail)
    copy = _COPY.search(shown)
    told = shown[: copy.start()] if copy else shown
    subject = mail.headers.get("subject", "")
    form = _form(told) or _form(subject)
    if form is None:
        return None
    failed = mail.headers.get("x-failed-recipients", "")
    after = shown[copy.start() :] if copy else ""
    returned = mail.returned.headers if mail.returned else {}
    message_id = returned.get("message-id") or next(iter(_MESSAGE_ID.findall(after)), None)
    addresses = dict.fromkeys([*_ADDRESS.findall(failed), *_ADDRESS.findall(told)])
    reported = Reported(form.action, found_in(told), words(told), tuple(addresses)[:10])
    return Report(
        kind=Kind.FREE_TEXT,
        recipients=(reported,),
        message_id=message_id,
        returned_to=returned.get("to"),
    )


def _form(told: str) -> Form | None:
    joined = " ".join(told.replace("\u2019", "'").split())
    return next((form for form, sentence in _FORMS if sentence.search(joined)), None)


def _shown(mail: Incoming) -> str:
    """The text before any other; HTML only where there is none."""
    texts = [part.text for part in mail.parts if part.kind == "text/plain"]
    pages = [_TAG.sub(" ", part.text[:_READ_CHARS]) for part in mail.parts if part.kind == "text/html"]
    return "\n".join(texts or pages)[:_READ_CHARS]
