"""RY1–RY10: whom an answer to a mail goes to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest
from adf_mailer.domain.letter import Written, delivery_key, write
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.route import AdfRoute, Route
from leadbus.contracts import Lead
from pydantic import ValidationError

JANE, JOE = {"address": "jane@a.example", "raw": "x"}, {"address": "joe@b.example", "raw": "x"}


def written(lead: Lead, route: Route) -> Written:
    return write(
        lead,
        route,
        status="new",
        date=datetime(2026, 4, 14, 16, 3, 9, tzinfo=UTC),
        letterhead=Letterhead("leads@leadbus.example"),
        key=delivery_key(lead, route),
    )


@pytest.mark.parametrize(
    ("wanted", "emails", "dealer", "expected"),
    [
        pytest.param(None, [JANE], "sales@d.example", None, id="RY1-nothing-said"),
        pytest.param("none", [JANE], "sales@d.example", None, id="RY2-none"),
        pytest.param("customer", [JANE], None, "jane@a.example", id="RY3-customer"),
        pytest.param(
            "customer", [JANE, JOE | {"primary": True}], None, "joe@b.example", id="RY4-primary-first"
        ),
        pytest.param(
            "customer",
            [{"address": "j ane@a.example\r\nBcc: x@evil.example", "raw": "x", "primary": True}, JOE],
            None,
            "joe@b.example",
            id="RY5-the-first-that-a-header-can-carry",
        ),
        pytest.param("customer", [{"address": "jürgen@a.example", "raw": "x"}], None, "", id="RY6-not-ascii"),
        pytest.param("customer", [{"address": None, "raw": "jane at a"}], None, "", id="RY7-unread"),
        pytest.param("customer", [], "sales@d.example", "", id="RY8-none-told"),
        pytest.param("dealer", [JANE], "sales@D.example", "sales@d.example", id="RY9-dealer"),
        pytest.param("dealer", [JANE], "=?utf-8?q?x?=@d.example", "", id="RY10-dealers-is-no-address"),
    ],
)
def test_reply_to(
    wanted: str | None,
    emails: list[dict[str, Any]],
    dealer: str | None,
    expected: str | None,
    golden_lead: Callable[..., Lead],
    make_route: Callable[..., Route],
) -> None:
    """Expected empty: none could be had, which is warned of."""
    lead = golden_lead(
        customer={"name": {"full": "J"}, "emails": emails},
        dealer={"dealer_id": "prairie-motors", "name": "Prairie", "email": dealer},
    )
    result = written(lead, make_route(reply_to=wanted) if wanted else make_route())
    message = message_from_bytes(result.mail.raw, policy=policy.default)

    assert message.get_all("Reply-To", []) == ([expected] if expected else [])
    codes = [(one.code, one.field) for one in result.warnings]
    assert (("reply_to_missing", "Reply-To") in codes) == (expected == "")
    # The shopper is never who sends it, to the reader or to the host.
    assert [one.addr_spec for one in message["From"].addresses] == ["leads@leadbus.example"]
    assert result.sender == "leads@leadbus.example"
    assert message["Bcc"] is None
    assert not message.defects


def test_another_address_to_reply_to_is_refused() -> None:
    with pytest.raises(ValidationError) as refused:
        AdfRoute.model_validate({"dealer": "d", "address": "a@b.example", "reply_to": "a@c.example"})
    assert [one["loc"] for one in refused.value.errors()] == [("reply_to",)]
