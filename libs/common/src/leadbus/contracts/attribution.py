"""Where a visitor came from: the 18 parameters a tracker tells, often later than the lead."""

from __future__ import annotations

from pydantic import AwareDatetime

from leadbus.contracts.wire import Text, WireModel


class Attributed(WireModel):
    """One parameter with its proof."""

    value: Text
    """As told."""
    as_of: AwareDatetime
    """When it was told."""
    raw_id: Text
    """Id of the raw message that told it."""


class Attribution(WireModel):
    """Every parameter is absent until told; later knowledge replaces earlier by ``as_of``."""

    known_at: AwareDatetime | None = None
    """When the first useful parameter arrived."""
    sent_at: Attributed | None = None
    """When the enquiry was sent."""
    source: Attributed | None = None
    """Traffic source."""
    traffic_type: Attributed | None = None
    """Kind of traffic: organic, cpc, referral and the like."""
    campaign: Attributed | None = None
    """Advertising campaign."""
    ad_content: Attributed | None = None
    """Content of the advert."""
    keyword: Attributed | None = None
    """Search keyword."""
    social_network: Attributed | None = None
    """Social network."""
    full_referral_path: Attributed | None = None
    """Full address the visitor came from."""
    city: Attributed | None = None
    """City of the visitor."""
    ip: Attributed | None = None
    """IP address of the visitor."""
    ga_client_id: Attributed | None = None
    """Google Analytics client id."""
    ym_client_id: Attributed | None = None
    """Yandex Metrica client id."""
    at_client_id: Attributed | None = None
    """The tracker's own visitor id."""
    page_path: Attributed | None = None
    """Path of the page the enquiry was sent from."""
    browser: Attributed | None = None
    """Browser."""
    country: Attributed | None = None
    """Country of the visitor."""
    device_category: Attributed | None = None
    """Desktop, mobile, tablet."""
    mailbox_address: Attributed | None = None
    """Mailbox the enquiry was sent to."""
