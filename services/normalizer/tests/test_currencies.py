"""Currencies as they are written: cases CU1.. of RULES.md, by their ids."""

from __future__ import annotations

from decimal import Decimal

import pytest
from normalizer.domain.currencies import read_currency
from normalizer.sources import adf
from normalizer.sources.adf.amounts import read_amount


@pytest.mark.parametrize(
    ("written", "code"),
    [
        pytest.param("EUR", "EUR", id="CU1"),
        pytest.param("usd", "USD", id="CU2"),
        pytest.param(" € ", "EUR", id="CU3"),
        pytest.param("Euro", "EUR", id="CU4"),
        pytest.param("US $", None, id="CU5"),
        pytest.param("US$", "USD", id="CU6"),
        pytest.param("C$", "CAD", id="CU7"),
        pytest.param("U.S. Dollars", "USD", id="CU8"),
        pytest.param("руб.", "RUB", id="CU9"),
        pytest.param("SFr.", "CHF", id="CU10"),
        pytest.param("$", None, id="CU11"),
        pytest.param("dollars", None, id="CU12"),
        pytest.param("", None, id="CU13"),
    ],
)
def test_a_currency(written: str, code: str | None) -> None:
    assert read_currency(written) == code


@pytest.mark.parametrize(
    ("written", "amount", "currency"),
    [
        pytest.param("27.995,00 €", "27995.00", "EUR", id="CU20"),
        pytest.param("US$27,995", "27995", "USD", id="CU21"),
        pytest.param("C$ 48,900", "48900", "CAD", id="CU22"),
        pytest.param("$27,995", "27995", None, id="CU23"),
        pytest.param("48 900 zł", "48900", "PLN", id="CU24"),
    ],
)
def test_a_sum_tells_its_currency(written: str, amount: str, currency: str | None) -> None:
    reading = read_amount(written)
    assert (reading.amount, reading.currency) == (Decimal(amount), currency)


@pytest.mark.parametrize(
    ("written", "currency"), [("EUR", "EUR"), ("Euro", "EUR"), ("$", None)], ids=["CU30", "CU31", "CU32"]
)
def test_the_attribute_of_a_price(written: str, currency: str | None) -> None:
    """A name or sign stays in extras beside what was read of it, and so does what was not read."""
    body = f"""<adf><prospect><vehicle><make>VW</make><price currency="{written}">100</price></vehicle>
<customer><contact><email>a@b.example</email></contact></customer><vendor><vendorname>D</vendorname></vendor>
</prospect></adf>"""
    draft = adf.read(body.encode(), "application/xml")
    ((price,),) = [vehicle.prices for vehicle in draft.vehicles]
    assert price.currency == currency
    assert (written in draft.extras.values()) == (written != "EUR")
