"""What Alfa-Track pushes: a lead as soon as it is detected, and later what became known about it. JSON.

The tracker documents its parameters and lead types but no wire format; this one is ours. A lead and the
knowledge about it share ``lead_id`` and may come in any order, more than once, and days apart. Fields that
are not listed here are kept and end in ``lead.extras``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field, WithJsonSchema

from leadbus.contracts.references import Reference, ToldId, web_link
from leadbus.contracts.vocabulary import Speaker
from leadbus.contracts.wire import Code, WireModel


def _valued(told: object) -> object:
    """A parameter told as its bare value."""
    return told if isinstance(told, Mapping | WireModel) else {"value": told}


_Text = Annotated[Code, WithJsonSchema({"type": ["string", "integer"]})]
_Link = Annotated[Code, AfterValidator(web_link), WithJsonSchema({"type": "string"})]


class _Payload(WireModel):
    model_config = ConfigDict(extra="allow")


class AtProject(_Payload):
    """The tracker's project: one site or dealer that is tracked."""

    id: Reference
    """Project reference; a ``Location`` setting maps it. In the lead it is ``extras["project.id"]``."""
    name: _Text | None = None
    """Name of the project; in the lead ``extras["project.name"]``, as it was told last."""


class AtClient(_Payload):
    """Who enquired, as far as told."""

    name: _Text | None = None
    """Whole name."""
    email: _Text | None = None
    """E-mail address."""
    phone: _Text | None = None
    """Phone number."""


class AtLine(_Payload):
    """One line of a chat."""

    at: AwareDatetime | None = None
    """When it was sent."""
    speaker: Speaker = "system"
    """Whose side sent it."""
    name: _Text | None = None
    """Shown name of the sender."""
    text: _Text = ""
    """The message."""


class AtCall(_Payload):
    """A tracked call."""

    recording_url: _Link | None = None
    """Where the audio can be heard."""
    started_at: AwareDatetime | None = None
    """When the phone rang."""
    duration_seconds: Annotated[int, Field(ge=0)] | None = None
    """Length in seconds."""
    tracking_number: _Text | None = None
    """The number that was dialled."""
    answered: bool | None = None
    """Whether somebody picked up."""


class AtParameter(_Payload):
    """One parameter and since when the tracker holds it true."""

    value: _Text
    """As told."""
    as_of: AwareDatetime | None = None
    """When the tracker knew it; ``as_of`` of the whole push when absent."""


def _value_or_object(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [{"type": ["string", "integer"]}, *schema.get("anyOf", [])]


_Parameter = Annotated[
    AtParameter | None, BeforeValidator(_valued), Field(json_schema_extra=_value_or_object)
]


class AtParameters(_Payload):
    """The 18 parameters: each a bare value, or an object with ``value`` and ``as_of``.

    Each may stand under the label that the tracker shows for it as well (``LABELS``).
    """

    sent_at: _Parameter = None
    """When the enquiry was sent."""
    source: _Parameter = None
    """Traffic source."""
    traffic_type: _Parameter = None
    """Kind of traffic."""
    campaign: _Parameter = None
    """Advertising campaign."""
    ad_content: _Parameter = None
    """Content of the advert."""
    keyword: _Parameter = None
    """Search keyword."""
    social_network: _Parameter = None
    """Social network."""
    full_referral_path: _Parameter = None
    """Full address the visitor came from."""
    city: _Parameter = None
    """City of the visitor."""
    ip: _Parameter = None
    """IP address of the visitor."""
    ga_client_id: _Parameter = None
    """Google Analytics client id."""
    ym_client_id: _Parameter = None
    """Yandex Metrica client id."""
    at_client_id: _Parameter = None
    """The tracker's own visitor id."""
    page_path: _Parameter = None
    """Path of the page the enquiry was sent from."""
    browser: _Parameter = None
    """Browser."""
    country: _Parameter = None
    """Country of the visitor."""
    device_category: _Parameter = None
    """Kind of device."""
    mailbox_address: _Parameter = None
    """Tracked mailbox that received the enquiry."""


LABELS: Mapping[str, str] = {
    "Дата отправки": "sent_at",
    "Источник": "source",
    "Тип трафика": "traffic_type",
    "Кампания": "campaign",
    "Содержимое объявления": "ad_content",
    "Ключевое слово": "keyword",
    "Социальная сеть": "social_network",
    "Полный путь перехода": "full_referral_path",
    "Город": "city",
    "IP адрес": "ip",
    "Идентификатор клиента GA": "ga_client_id",
    "Идентификатор клиента YM": "ym_client_id",
    "Идентификатор клиента AT": "at_client_id",
    "Путь к странице": "page_path",
    "Браузер": "browser",
    "Страна": "country",
    "Категория устройства": "device_category",
    "Адрес почтового ящика": "mailbox_address",
}
"""The tracker's label of each parameter, and its key here."""


class _Push(_Payload):
    event: Literal["lead", "knowledge"]
    """What is pushed."""
    lead_id: ToldId
    """The tracker's id of the lead."""
    as_of: AwareDatetime | None = None
    """When the tracker knew the parameters; when we received them, where absent."""
    parameters: AtParameters = AtParameters()
    """What is known by now about where the visitor came from."""
    test: bool = False
    """About a test lead."""


class AlfaTrackLead(_Push):
    """A lead as soon as it is detected. The same ``lead_id`` again tells more about the same lead."""

    event: Literal["lead"]
    """A lead."""
    type: ToldId
    """``email``, ``form``, ``phone``, ``chat``, ``offline``, or the tracker's label of it; others pass."""
    project: AtProject
    """Whose lead it is."""
    occurred_at: AwareDatetime | None = None
    """When the client acted; parameter ``sent_at`` stands in for it."""
    detected_at: AwareDatetime | None = None
    """When the tracker noticed the lead."""
    client: AtClient = AtClient()
    """Who enquired."""
    subject: _Text | None = None
    """Subject of the enquiry."""
    message: _Text | None = None
    """Text of the enquiry."""
    message_html: _Text | None = None
    """The same as HTML; read where there is no ``message``."""
    transcript: tuple[AtLine, ...] = ()
    """The chat, in order."""
    call: AtCall | None = None
    """The call."""


class AlfaTrackKnowledge(_Push):
    """What became known about a lead; it may come before the lead itself."""

    event: Literal["knowledge"]
    """Knowledge about a lead."""
    project: AtProject | None = None
    """Whose lead it is, where it is told again."""
