"""B1–B29: what an `AdfRoute` may say."""

from __future__ import annotations

from typing import Any

import pytest
from adf_mailer.domain.route import AdfRoute
from pydantic import ValidationError

SPEC = {"dealer": "prairie-motors", "address": "leads@prairie.example"}


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        pytest.param("leads@prairie.example", "leads@prairie.example", id="B1"),
        pytest.param("  leads@Prairie.EXAMPLE \t", "leads@prairie.example", id="B2-blanks-and-domain-case"),
        pytest.param("Dealer-7@x.example", "Dealer-7@x.example", id="B3-local-part-as-written"),
        pytest.param("_lead.C5183@easydealmail.example", "_lead.C5183@easydealmail.example", id="B4"),
        pytest.param("leads@autohaus-müller.example", "leads@xn--autohaus-mller-psb.example", id="B5-idn"),
    ],
)
def test_addresses_that_are_taken(written: str, taken: str) -> None:
    assert AdfRoute.model_validate(SPEC | {"address": written}).address == taken


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("", id="B6-empty"),
        pytest.param("leads", id="B7-no-domain"),
        pytest.param("a@x.example, b@x.example", id="B8-two"),
        pytest.param("a@x.example;b@x.example", id="B9-two-semicolon"),
        pytest.param("Leads <a@x.example>", id="B10-display-name"),
        pytest.param("a@x.example\r\nBcc: b@x.example", id="B11-crlf"),
        pytest.param("a@x.example\n", id="B12-line-end"),
        pytest.param('"a b"@x.example', id="B13-quoted"),
        pytest.param("müller@x.example", id="B14-local-part-not-ascii"),
        pytest.param("a@[127.0.0.1]", id="B15-literal"),
        pytest.param("a@localhost", id="B16-no-dot"),
        pytest.param("a b@x.example", id="B17-blank-inside"),
        pytest.param("=?utf-8?q?a?=@x.example", id="B18-encoded-word"),
        pytest.param("a@x..example", id="B19-empty-label"),
        pytest.param("a" * 65 + "@x.example", id="B20-long-local-part"),
        pytest.param(["a@x.example"], id="B21-list"),
    ],
)
@pytest.mark.parametrize("field", ["address", "from_address"])
def test_addresses_that_are_refused(address: Any, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        AdfRoute.model_validate(SPEC | {field: address})

    (error,) = refused.value.errors()
    assert error["loc"] == (field,)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        pytest.param("time_zone", "Mars/Olympus", "time zone", id="B22"),
        pytest.param("time_zone", "../etc/passwd", "time zone", id="B23"),
        pytest.param("time_zone", "America", "time zone", id="B24-a-folder"),
        pytest.param("subject", "{customer_name}", "unknown placeholder", id="B25"),
        pytest.param("subject", "{dealer_name.__class__}", "unknown placeholder", id="B26"),
        pytest.param("subject", "{dealer_name!r:>9}", "without format", id="B27"),
        pytest.param("subject", "{dealer_name", "braces", id="B28"),
        pytest.param("subject", "a\r\nBcc: x", "one line", id="B29"),
        pytest.param("subject", "", "at least 1", id="B30"),
        pytest.param("from_display", "a\nb", "one line", id="B31"),
        pytest.param("updates", "sometimes", "resend", id="B32"),
        pytest.param("adress", "a@x.example", "not permitted", id="B33-unknown-field"),
    ],
)
def test_settings_that_are_refused(field: str, value: str, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        AdfRoute.model_validate(SPEC | {field: value})

    (error,) = refused.value.errors()
    assert error["loc"] == (field,)
    assert message in error["msg"]


def test_b34_every_field_has_a_title_and_help() -> None:
    for name, field in AdfRoute.model_json_schema()["properties"].items():
        assert field["title"] != name
        assert field["description"]
