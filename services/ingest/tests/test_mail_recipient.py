"""The setting of an address: how addresses are compared, and what of a setting is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ingest.mail.recipient import MailRecipient, Recipient, normal
from pydantic import ValidationError

ADDRESS = "k7@leads.example"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        (ADDRESS, ADDRESS),
        (" K7@Leads.Example ", ADDRESS),
        ("k7@bücher.example", "k7@xn--bcher-kva.example"),
        ("k7@XN--bcher-kva.example", "k7@xn--bcher-kva.example"),
        ("größe@leads.example", "größe@leads.example"),
        ("Gro\u0308ße@leads.example", "größe@leads.example"),
        ("a.b+c@localhost", "a.b+c@localhost"),
    ],
)
def test_addresses_are_compared_without_case(written: str, address: str) -> None:
    assert normal(written) == address


@pytest.mark.parametrize(
    "written",
    [
        *("", "k7", "@leads.example", "k7@", "a b@leads.example", "<k7@leads.example>", "k7@leads..example"),
        *("k7@-leads.example", f"{'a' * 65}@leads.example", f"a@{'b.' * 130}example", "k7@[127.0.0.1]"),
        *("k\x007@leads.example", "k\udce97@leads.example", '"k 7"@leads.example', "a@b@"),
    ],
)
def test_what_is_no_address(written: str) -> None:
    with pytest.raises(ValueError, match="not an e-mail address"):
        normal(written)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "address"),
        ({"address": "nobody"}, "address"),
        ({"address": "k7+test@leads.example"}, "address"),
        ({"address": ADDRESS, "source": "contactatonce"}, "source"),
        ({"address": ADDRESS, "location": " "}, "location"),
        ({"address": ADDRESS, "location": "a" * 201}, "location"),
        ({"address": ADDRESS, "location": "a\nb"}, "location"),
        ({"address": ADDRESS, "account": "two words"}, "account"),
        ({"address": ADDRESS, "letters": True}, "letters"),
    ],
)
def test_what_is_refused(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        MailRecipient.model_validate(spec)
    assert [error["loc"][0] for error in caught.value.errors()] == [field]


@pytest.mark.parametrize(
    ("spec", "account", "way"),
    [
        ({}, "prairie", {}),
        ({"account": "group"}, "group", {}),
        ({"location": "D-1"}, "prairie", {"location": "D-1"}),
        (
            {"location": "D-1", "location_always": True, "plain_text_leads": True},
            "prairie",
            {"location": "D-1", "locationalways": "true", "letters": "true"},
        ),
    ],
)
def test_what_goes_along_with_a_mail(spec: dict[str, Any], account: str, way: dict[str, str]) -> None:
    recipient = Recipient("prairie", MailRecipient(address=ADDRESS, **spec))
    assert (recipient.account, recipient.way) == (account, way)
