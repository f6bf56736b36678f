"""Lines: JSON, one per unit of work, and none of the values planted below ever in them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadbus import log
from leadbus.db import DatabaseUnavailable
from leadbus.log import redaction
from leadbus.log.redaction import REDACTED, forbidden, scrub
from pydantic import BaseModel, ValidationError

PLANTED = {
    "email": "john.smith+cars@dealer-mail.example.com",
    "phone": "+1 (415) 555-0132",
    "name": "Johannes Schmidt-Müller",
    "body": '{"lead": {"customer": "Johannes"}}',
    "iban": "4155550132",
}


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    log.configure("tester", "DEBUG", stream=stream)
    yield stream
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    log.unconfigured()


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def silent(written: io.StringIO) -> None:
    for value in PLANTED.values():
        assert value not in written.getvalue()
    assert "Johannes" not in written.getvalue()


def test_a_wide_line_is_one_json_object_with_outcome_and_duration(written: io.StringIO) -> None:
    with log.wide("message.consumed", queue="normalizer.raw", lead_id="5c0a") as line:
        line["messages"] = 3
    (said,) = lines(written)
    assert said.pop("duration_ms") >= 0
    assert said.pop("timestamp").endswith("Z")
    assert said == {
        "event": "message.consumed",
        "level": "info",
        "service": "tester",
        "queue": "normalizer.raw",
        "lead_id": "5c0a",
        "messages": 3,
        "outcome": "ok",
    }


def test_the_outcome_is_the_callers_word(written: io.StringIO) -> None:
    with log.wide("attempt") as line:
        line.outcome = "transient"
    assert lines(written)[0]["outcome"] == "transient"


def test_a_failing_unit_says_kind_and_place_and_raises_on(written: io.StringIO) -> None:
    with pytest.raises(ValueError), log.wide("attempt"):  # noqa: PT012 - the line is written at the exit
        customer = PLANTED["name"]
        raise ValueError(f"cannot read {customer} {PLANTED['email']}")
    (said,) = lines(written)
    assert (said["outcome"], said["level"], said["exception"]["kind"]) == ("error", "error", "ValueError")
    assert said["exception"]["frames"][-1].endswith("test_a_failing_unit_says_kind_and_place_and_raises_on")
    assert "detail" not in said["exception"]
    silent(written)


async def test_a_cancelled_unit_is_no_error(written: io.StringIO) -> None:
    async def work() -> None:
        with log.wide("attempt"):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert (lines(written)[0]["outcome"], lines(written)[0]["level"]) == ("cancelled", "info")


@pytest.mark.parametrize(
    "key", ["customer", "customer_email", "emails", "Phone", "first_name", "body", "raw_body"]
)
def test_forbidden_keys_are_not_said(written: io.StringIO, key: str) -> None:
    with log.wide("attempt", **{key: PLANTED["name"]}):
        pass
    assert lines(written)[0][key] == REDACTED


def test_planted_values_stay_inside_wherever_they_are(written: io.StringIO) -> None:
    with log.wide(
        "attempt",
        answer=f"550 {PLANTED['email']} unknown, call {PLANTED['phone']}",
        nested={"customer": PLANTED["name"], "list": [PLANTED["email"], {"text": PLANTED["body"]}]},
        raw_bytes=PLANTED["body"].encode(),
        thing=type("Thing", (), {"__str__": lambda _: PLANTED["email"]})(),
        tupled=(PLANTED["iban"],),
    ):
        pass
    silent(written)
    assert lines(written)[0]["raw_bytes"] == f"[{len(PLANTED['body'].encode())} bytes]"


def test_what_libraries_say_passes_the_same_defence(written: io.StringIO) -> None:
    logging.getLogger("faststream.access").error("Received %s", PLANTED["name"])
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: %r", PLANTED["name"])
    logging.getLogger("uvicorn.error").warning("peer %s sent %s", "10.0.0.1:4000", PLANTED["email"])
    logging.getLogger("aiormq.connection").warning(
        "Connection to %s closed", "amqp://user:geheim@mq:5672/leads"
    )
    said = lines(written)
    assert [line["event"] for line in said] == [
        "Received %s",
        "Task exception was never retrieved",
        f"peer 10.0.0.1:4000 sent {REDACTED}",
        f"Connection to amqp://{REDACTED}@mq:5672/leads closed",
    ]
    assert all(line["service"] == "tester" for line in said)
    assert "geheim" not in written.getvalue()
    silent(written)


def test_libraries_handlers_and_access_lines_are_taken_away(written: io.StringIO) -> None:
    own = io.StringIO()
    library = logging.getLogger("faststream.own")
    library.addHandler(logging.StreamHandler(own))
    library.propagate = False
    log.configure("tester", "DEBUG", stream=written)
    library.warning("hello")
    logging.getLogger("uvicorn.access").info("GET /v1/customers/john")
    assert own.getvalue() == ""
    assert [line["event"] for line in lines(written)] == ["hello"]


class Person(BaseModel):
    phone: int


def unique_violation() -> Exception:
    error = asyncpg.UniqueViolationError(f"duplicate key ({PLANTED['email']})")
    error.detail = f"Key (email)=({PLANTED['email']}) already exists."
    return error


def pydantic_error() -> Exception:
    try:
        Person.model_validate({"phone": PLANTED["name"]})
    except ValidationError as error:
        return error
    raise AssertionError


def chained() -> Exception:
    try:
        try:
            raise KeyError(PLANTED["name"])  # noqa: TRY301
        except KeyError as cause:
            raise DatabaseUnavailable("the pool is not open") from cause
    except DatabaseUnavailable as error:
        return error


def test_exceptions_speak_only_where_they_quote_nobody(written: io.StringIO) -> None:
    for error in (
        unique_violation(),
        pydantic_error(),
        chained(),
        ConnectionRefusedError(111, "Connection refused"),
        UnicodeDecodeError("utf-8", PLANTED["body"].encode(), 0, 1, "invalid start byte"),
        ExceptionGroup("several", [ValueError(PLANTED["name"]), OSError(5, "I/O error")]),
    ):
        log.logger("test").error("failed", exc_info=error)
    said = [line["exception"] for line in lines(written)]
    assert [(each["kind"], each.get("detail")) for each in said] == [
        ("asyncpg.exceptions.UniqueViolationError", "23505"),
        ("pydantic_core._pydantic_core.ValidationError", None),
        ("leadbus.db.availability.DatabaseUnavailable", "the pool is not open"),
        ("ConnectionRefusedError", "[Errno 111] Connection refused"),
        ("UnicodeDecodeError", None),
        ("ExceptionGroup", None),
    ]
    assert said[1]["invalid"] == [{"type": "int_parsing", "field": REDACTED}] or said[1]["invalid"] == [
        {"type": "int_parsing", "field": "phone"}
    ]
    assert said[2]["causes"][0]["kind"] == "KeyError"
    assert [each.get("detail") for each in said[5]["group"]] == [None, "[Errno 5] I/O error"]
    silent(written)


def test_before_configure_the_defences_hold_too(caplog: pytest.LogCaptureFixture) -> None:
    log.unconfigured()
    with caplog.at_level(logging.INFO), pytest.raises(ValueError), log.wide("early"):  # noqa: PT012
        secret = PLANTED["name"]
        raise ValueError(secret)
    assert "early" in caplog.text
    assert "Johannes" not in caplog.text


@pytest.mark.parametrize(
    "identifier",
    [
        "0192f6a4-5b1e-7c3d-8e9f-1234567890ab",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "2026-03-02T09:00:00.123456+00:00",
        "<0192f6a4-5b1e-7c3d-8e9f-1234567890ab.north@leads.example.com>",
        "10.20.30.40:5672",
        "normalizer.raw",
        "lead.received.v1",
        "250 2.0.0 Ok: queued as 4F1B2B0B822",
    ],
)
def test_identifiers_stay_readable(identifier: str) -> None:
    assert scrub(identifier) == identifier


@pytest.mark.parametrize(
    "phone",
    [
        "+49 89 1234567",
        "(415) 555-0132",
        "415-555-0132",
        "+14155550132",
        "0049891234567",
        "8 (903) 123-45-67",
    ],
)
def test_telephone_numbers_are_seen_in_their_usual_shapes(phone: str) -> None:
    assert phone not in scrub(f"call {phone} now")


@given(st.from_regex(redaction._PHONE, fullmatch=True), st.sampled_from(["", "call ", "x=1, "]))
def test_a_number_of_any_shape_is_seen(number: str, before: str) -> None:
    assert scrub(f"{before}{number}") != f"{before}{number}"


@given(st.emails())
def test_any_address_is_seen(address: str) -> None:
    said = scrub(f"550 <{address}> unknown")
    local, _, domain = address.partition("@")
    assert f"{local}@{domain}" not in said


@pytest.mark.parametrize(
    "key", ["event", "queue_name", "messages_count", "email_count", "lead_id", "destination"]
)
def test_words_about_data_can_be_said(key: str) -> None:
    assert not forbidden(key)


def test_the_lines_of_a_batch_are_those_of_their_messages(written: io.StringIO) -> None:
    rows: list[dict[str, Any]] = [
        {"lead_id": UUID(int=7), "outcome": "received", "size_bytes": 12, "skipped": []},
        {"reason": PLANTED["email"], "customer_phone": PLANTED["phone"], "note": PLANTED["phone"]},
    ]
    for row in rows:
        log.logger("normalizer").info("raw.normalized", **row)
    alone = lines(written)
    written.seek(0)
    written.truncate()
    log.each("normalizer", "raw.normalized", rows)
    together = lines(written)
    silent(written)
    for one, other in zip(alone, together, strict=True):
        assert one.pop("timestamp") <= other.pop("timestamp")
        assert one == other


def test_a_batch_says_nothing_below_the_level(written: io.StringIO) -> None:
    log.configure("tester", "WARNING", stream=written)
    log.each("normalizer", "raw.normalized", [{"outcome": "received"}])
    log.each("normalizer", "raw.normalized", [])
    assert written.getvalue() == ""
