"""What is read at one look is read as everything else is."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from uuid import uuid5

from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st
from leadbus.contracts import NAMESPACE
from normalizer.domain import identity
from normalizer.domain.emails import read_email
from normalizer.domain.text import clean, clean_line

_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text("a \t\n\r\x00\x85\xa0\u2003")
_LOCALS = st.from_regex(r"[A-Za-z0-9_.+-]{1,40}", fullmatch=True) | st.sampled_from(["info", "Sales"])
_DOMAINS = st.from_regex(r"[A-Za-z0-9.-]{1,80}", fullmatch=True) | st.sampled_from(
    ["example.com", "Example.NET", "localhost", "münchen.example", "xn--mnchen-3ya.de", "a.test", "1.2.3.4"]
)


@given(_ANY_TEXT)
def test_text_is_cleaned_as_by_every_rule(value: str) -> None:
    by_rules = re.sub(r"\r\n?", "\n", _UNSTORABLE.sub("", value)).strip()
    assert clean(value) == by_rules
    assert clean_line(value) == re.sub(r"\s+", " ", by_rules)


@given(_LOCALS, _DOMAINS)
@example("a" * 64, "example.com")
@example("a" * 65, "example.com")
@example("dana", f"{'a' * 63}.{'b' * 63}.{'c' * 50}.com")
def test_an_ordinary_address_is_what_the_validator_says(local: str, domain: str) -> None:
    written = f"{local}@{domain}".strip(" .")
    said = None
    with suppress(EmailNotValidError):
        said = validate_email(written, check_deliverability=False).normalized
    assert read_email(written).address == said
    assert read_email(written).address == said, "the second time its domain is known"


@given(st.lists(st.text(), min_size=4, max_size=4))
def test_ids_are_version_five_over_a_json_list(parts: list[str]) -> None:
    name = json.dumps(["raw", *parts], ensure_ascii=False, separators=(",", ":"))
    assert identity.raw_key(*parts) == uuid5(NAMESPACE, name)
