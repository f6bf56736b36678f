"""What the pages of opt-in links say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

STYLE = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem}"
    "button{font:inherit;padding:.5rem 1.5rem}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}"
)


@dataclass(frozen=True, slots=True)
class Texts:
    """The sentences of one language."""

    title: str
    agree: str
    thanks: str
    withdrawn: str
    expired: str = ""
    unknown: str = ""


PAGES: Mapping[str, Texts] = {
    "en": Texts(
        title="Your permission",
        agree="I agree",
        thanks="Thank you. Your permission is recorded; you can withdraw it at any time.",
        withdrawn="You have withdrawn your permission before. That stays as it is, and nobody will contact "
        "you because of this page.",
        expired="This link has expired. Nothing was recorded.",
        unknown="This link is not valid. Nothing was recorded.",
    ),
    "de": Texts(
        title="Ihre Einwilligung",
        agree="Ich willige ein",
        thanks="Danke. Ihre Einwilligung ist vermerkt; Sie können sie jederzeit widerrufen.",
        withdrawn="Sie haben Ihre Einwilligung früher widerrufen. Dabei bleibt es, und niemand wird Sie "
        "wegen dieser Seite ansprechen.",
    ),
    "fr": Texts(
        title="Votre consentement",
        agree="J'accepte",
        thanks="Merci. Votre consentement est enregistré ; vous pouvez le retirer à tout moment.",
        withdrawn="Vous avez retiré votre consentement auparavant. Ce retrait reste valable et personne ne "
        "vous contactera à cause de cette page.",
    ),
}
