"""Leads as hypothesis makes them: every field that an ADF document tells, in letters of many scripts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

from hypothesis import strategies as st
from leadbus.contracts.vocabulary import AddressType, BestTime, PhoneType, PriceKind

LETTERS = st.sampled_from("abzÄéßñçøŁżЖяЮ車語😀0159")
WORD = st.text(LETTERS, min_size=2, max_size=12)
WORDS = st.lists(WORD, min_size=1, max_size=4).map(" ".join)
NAME = st.text(st.sampled_from("abcdefghÄéßñŁ"), min_size=2, max_size=10).map(str.capitalize)
PHONES = ["+13125550148", "+16305550110", "+4915112345678", "+33298550136", "+79123456789"]
MONEY = st.decimals(min_value=1, max_value=10**9, places=2) | st.integers(1, 10**9)
THREE_PLACES = st.decimals(min_value=1, max_value=999, places=3)
CODES = st.sampled_from(["EUR", "USD", "JPY"])
PRICE = st.fixed_dictionaries(
    {"kind": st.sampled_from(get_args(PriceKind)), "amount": (MONEY | THREE_PLACES).map(str)},
    optional={"currency": CODES | st.just("DOL")},
)
VEHICLE = st.fixed_dictionaries(
    {"status": st.sampled_from(["new", "used", "unknown"])},
    optional={
        **dict.fromkeys(("make", "model", "trim", "body", "stock", "transmission", "comments"), WORDS),
        "year": st.sampled_from(["2020", "2018-2020"]),
        "vin": st.just("1M8GDM9AXKP042788"),
        "odometer": st.fixed_dictionaries(
            {"value": st.integers(0, 10**7), "units": st.sampled_from(["km", "mi", "unknown"])}
        ),
        "colours": st.lists(
            st.fixed_dictionaries(
                {}, optional={"exterior": WORDS, "interior": WORDS, "preference": st.integers(1, 9)}
            ),
            max_size=2,
        ),
        "prices": st.lists(PRICE, max_size=3),
        "options": st.lists(
            st.fixed_dictionaries(
                {"name": WORDS},
                optional={"code": WORD, "weighting": st.integers(-100, 100), "price": PRICE},
            ),
            max_size=2,
        ),
        "url": st.sampled_from(["https://x.example/a?b=1&c=2", "http://y.example/é"]),
        "image": st.just("https://x.example/1.jpg"),
    },
)
BUY = st.tuples(VEHICLE, st.sampled_from(["buy", "lease", "test_drive"])).map(
    lambda told: told[0] | {"interest": told[1], "wanted": True}
)
TRADE_IN = st.tuples(VEHICLE, st.sampled_from(["trade_in", "sell"])).map(
    lambda told: told[0] | {"interest": told[1]}
)
VEHICLES = st.tuples(st.lists(TRADE_IN, max_size=2), st.lists(BUY, max_size=1)).map(
    lambda told: [*told[0], *told[1]]
)
ADDRESS = st.fixed_dictionaries(
    {"street": st.lists(WORDS, max_size=6)},
    optional={
        **dict.fromkeys(("city", "region", "postal_code", "apartment"), WORDS),
        "country": st.sampled_from(["US", "DE", "QZ"]),
        "type": st.sampled_from(get_args(AddressType)),
    },
)
PERSON = st.fixed_dictionaries(
    {},
    optional={
        "name": st.fixed_dictionaries(
            {"first": NAME, "last": NAME}, optional={"middle": NAME, "suffix": st.just("Jr")}
        )
        | st.fixed_dictionaries({"full": NAME})
        | st.fixed_dictionaries({"first": NAME})
        | st.fixed_dictionaries({"last": NAME}),
        "company": st.fixed_dictionaries({"name": WORDS}),
        "type": st.sampled_from(["person", "business"]),
        "emails": st.lists(
            st.fixed_dictionaries(
                {"raw": st.just("as written")},
                optional={
                    "address": st.sampled_from(["a@example.org", "jörg@bücher.example", "b@example.net"]),
                    "primary": st.booleans(),
                },
            ),
            max_size=3,
        ),
        "phones": st.lists(
            st.fixed_dictionaries(
                {
                    "raw": st.sampled_from(["555-0148", "ask for Bob"]),
                    "type": st.sampled_from(get_args(PhoneType)),
                    "primary": st.booleans(),
                },
                optional={
                    "e164": st.sampled_from(PHONES),
                    "extension": st.sampled_from(["12", "4711"]),
                    "best_time": st.sampled_from(get_args(BestTime)),
                },
            ),
            max_size=3,
        ),
        "addresses": st.lists(ADDRESS, max_size=2),
    },
)
_NEEDED: dict[str, st.SearchStrategy[Any]] = {
    "source": st.sampled_from(["contactatonce", "virtualexpo", "bdk", "alfatrack", "adf"]),
    "source_type": WORDS,
    "customer": PERSON,
    "vehicles": VEHICLES,
    "occurred_at": st.none()
    | st.integers(662_688_000, 4_070_908_800).map(lambda at: datetime.fromtimestamp(at, UTC).isoformat()),
}
_PERHAPS: dict[str, st.SearchStrategy[Any]] = {
    "ids": st.lists(
        st.fixed_dictionaries({"source": WORDS, "value": WORDS}),
        max_size=3,
        unique_by=lambda told: (told["source"], told["value"]),
    ),
    "message": st.lists(WORDS, max_size=5).map("\n".join) | WORD.map(lambda word: word * 200),
    "transcript": st.lists(
        st.fixed_dictionaries(
            {"speaker": st.sampled_from(["customer", "agent", "system"]), "text": WORDS},
            optional={"name": NAME, "at": st.just("2026-04-14T11:00:12-05:00")},
        ),
        max_size=3,
    ),
    "call": st.fixed_dictionaries(
        {},
        optional={
            "recording_url": st.just("https://calls.example/ä b?x=1"),
            "duration_seconds": st.integers(0, 10**5),
            "tracking_number": st.sampled_from(["+1 312 555 0100", "the office"]),
            "answered": st.booleans(),
        },
    ),
    "finance": st.fixed_dictionaries(
        {"product": st.sampled_from(["cash", "financing", "leasing", "unknown"])},
        optional={
            **dict.fromkeys(("down_payment", "monthly", "total"), (MONEY | THREE_PLACES).map(str)),
            "currency": CODES | st.just("DOL"),
            "term_months": st.integers(1, 99),
        },
    ),
}
LEAD = st.fixed_dictionaries(_NEEDED, optional=_PERHAPS)
