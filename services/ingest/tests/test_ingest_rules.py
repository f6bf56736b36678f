"""The pure decisions at the door: content types, keys, idempotency, repetition, admission."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from ingest.domain import admission, api_key, idempotency_key, media_type
from ingest.domain.api_key import ApiKey, KeyState
from ingest.domain.media_type import Form
from ingest.domain.raw import Offer, Receipt, envelope_of
from ingest.domain.refusal import Reason, Refusal
from ingest.domain.repetition import Judgement, Verdict, judge

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RAW_ID = UUID("6f3c2f1e-9d0a-4c53-8a44-0d6a2f0f0001")


@pytest.mark.parametrize(
    ("text", "form", "charset"),
    [
        ("application/json", Form.JSON, None),
        ("Application/JSON; charset=UTF-8", Form.JSON, "utf-8"),
        ("application/vnd.dealer.lead+json", Form.JSON, None),
        ("application/xml", Form.XML, None),
        ('text/xml;charset="windows-1251"', Form.XML, "windows-1251"),
        ("application/x-adf+xml ; version=1", Form.XML, None),
    ],
)
def test_content_type_taken(text: str, form: Form, charset: str | None) -> None:
    assert media_type.read(text) == media_type.MediaType(text, form, charset)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "json",
        "text/plain",
        "text/json",
        "text/html",
        "image/svg+json",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
        "application/json, application/xml",
        "application/json; charset",
        "application/json\r\nX-Injected: 1",
        "application/jsön",
        "application/" + "a" * 300 + "+json",
    ],
)
def test_content_type_refused(text: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        media_type.read(text)
    assert caught.value.reason is Reason.UNSUPPORTED_TYPE


def test_generated_keys_are_unique_readable_and_match_only_themselves() -> None:
    keys = [api_key.make(secrets.token_bytes(api_key.RANDOMNESS_BYTES)) for _ in range(200)]
    assert len({key.text for key in keys}) == len({key.key_id for key in keys}) == 200
    for key in keys:
        assert key.text.startswith("lbk_")
        assert api_key.read(key.text) == key
        assert key.matches(key.digest)
    assert not keys[0].matches(keys[1].digest)


def test_key_shows_in_no_repr() -> None:
    key = api_key.make(secrets.token_bytes(api_key.RANDOMNESS_BYTES))
    assert key.text not in repr(key)
    assert key.text.removeprefix(f"lbk_{key.key_id}_") not in repr(key)


@pytest.mark.parametrize(
    "text", ["", "lbk_", "lbk_abc_def", "Bearer x", "lbk_" + "a" * 11 + "_" + "b" * 42 + "é"]
)
def test_other_text_is_no_key(text: str) -> None:
    assert api_key.read(text) is None


KEY = api_key.make(secrets.token_bytes(api_key.RANDOMNESS_BYTES))
STORED = ApiKey(KEY.key_id, "contactatonce", "main", "", KEY.digest, NOW, "ann")


@pytest.mark.parametrize(
    ("key", "state"),
    [
        (STORED, KeyState.ACTIVE),
        (replace(STORED, expires_at=NOW + timedelta(seconds=1)), KeyState.ACTIVE),
        (replace(STORED, expires_at=NOW), KeyState.EXPIRED),
        (replace(STORED, revoked_at=NOW), KeyState.REVOKED),
        (replace(STORED, revoked_at=NOW, expires_at=NOW), KeyState.REVOKED),
    ],
)
def test_key_state(key: ApiKey, state: KeyState) -> None:
    assert key.state(NOW) is state


def test_authenticate_takes_the_active_key_only() -> None:
    assert admission.authenticate(KEY, STORED, NOW) is STORED
    other = api_key.make(secrets.token_bytes(api_key.RANDOMNESS_BYTES))
    for presented, stored in [
        (KEY, None),
        (api_key.KeyText(KEY.key_id, other.text), STORED),
        (KEY, replace(STORED, revoked_at=NOW)),
        (KEY, replace(STORED, expires_at=NOW)),
    ]:
        with pytest.raises(Refusal) as caught:
            admission.authenticate(presented, stored, NOW)
        assert caught.value.reason is Reason.KEY_INVALID


def test_a_text_that_is_no_key_is_refused_like_an_unknown_one() -> None:
    assert admission.legible(KEY) is KEY
    with pytest.raises(Refusal) as caught:
        admission.legible(None)
    assert caught.value.reason is Reason.KEY_INVALID


@dataclass(frozen=True)
class DoorSetting:
    enabled: bool = True
    allow_test: bool = True
    accounts: tuple[str, ...] = ("main",)

    def serves(self, account: str) -> bool:
        return account in self.accounts


@pytest.mark.parametrize(
    ("source", "door", "test", "reason"),
    [
        ("contactatonce", DoorSetting(), False, None),
        ("contactatonce", DoorSetting(), True, None),
        ("adf", DoorSetting(), False, Reason.KEY_OF_OTHER_SOURCE),
        ("adf", None, False, Reason.KEY_OF_OTHER_SOURCE),
        ("contactatonce", None, False, Reason.UNKNOWN_SOURCE),
        ("contactatonce", DoorSetting(enabled=False), False, Reason.SOURCE_DISABLED),
        ("contactatonce", DoorSetting(accounts=("other",)), False, Reason.ACCOUNT_NOT_SERVED),
        ("contactatonce", DoorSetting(allow_test=False), True, Reason.TEST_NOT_ALLOWED),
        ("contactatonce", DoorSetting(allow_test=False), False, None),
    ],
)
def test_admission(source: str, door: DoorSetting | None, test: bool, reason: Reason | None) -> None:
    if reason is None:
        admission.admit(STORED, source, door, test=test)
        return
    with pytest.raises(Refusal) as caught:
        admission.admit(STORED, source, door, test=test)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([], None),
        (["8e03978e"], "8e03978e"),
        (['"8e03978e"'], "8e03978e"),
        (['"'], '"'),
        (["a b"], "a b"),
        (["x" * 255], "x" * 255),
    ],
)
def test_idempotency_key_read(headers: list[str], key: str | None) -> None:
    assert idempotency_key.read(headers) == key


@pytest.mark.parametrize("headers", [[""], ['""'], ["x" * 256], ["a\tb"], ["é"], ["a", "a"], [" a"]])
def test_idempotency_key_refused(headers: list[str]) -> None:
    with pytest.raises(Refusal) as caught:
        idempotency_key.read(headers)
    assert caught.value.reason is Reason.HEADER_INVALID


DIGEST, OTHER = b"d" * 32, b"o" * 32
FIRST = Receipt(RAW_ID, "contactatonce", "main", "application/json", DIGEST, 2, test=False, accepted_at=NOW)
IN_WINDOW = replace(FIRST, accepted_at=NOW - timedelta(seconds=599))
AT_ITS_END = replace(FIRST, accepted_at=NOW - timedelta(seconds=600))
LONG_AGO = replace(FIRST, accepted_at=NOW - timedelta(days=9))
AHEAD = replace(FIRST, accepted_at=NOW + timedelta(seconds=2))


@pytest.mark.parametrize(
    ("case", "by_key", "by_content", "digest", "test", "verdict"),
    [
        ("nothing_before", None, None, DIGEST, False, Verdict.NEW),
        ("same_key_same_body", FIRST, None, DIGEST, False, Verdict.SAME_KEY),
        ("same_key_long_ago", LONG_AGO, None, DIGEST, False, Verdict.SAME_KEY),
        ("same_key_other_body", FIRST, None, OTHER, False, Verdict.KEY_REUSED),
        ("same_key_now_a_test", FIRST, None, DIGEST, True, Verdict.KEY_REUSED),
        ("key_decides_before_content", FIRST, IN_WINDOW, OTHER, False, Verdict.KEY_REUSED),
        ("same_body_in_the_window", None, IN_WINDOW, DIGEST, False, Verdict.SAME_CONTENT),
        ("same_body_at_its_end", None, AT_ITS_END, DIGEST, False, Verdict.NEW),
        ("other_body", None, IN_WINDOW, OTHER, False, Verdict.NEW),
        ("test_after_real", None, IN_WINDOW, DIGEST, True, Verdict.NEW),
        ("real_after_test", None, replace(IN_WINDOW, test=True), DIGEST, False, Verdict.NEW),
        ("clock_of_another_replica_ahead", None, AHEAD, DIGEST, False, Verdict.SAME_CONTENT),
    ],
)
def test_repetition(
    case: str,
    by_key: Receipt | None,
    by_content: Receipt | None,
    digest: bytes,
    test: bool,
    verdict: Verdict,
) -> None:
    judgement = judge(digest, test=test, by_key=by_key, by_content=by_content, now=NOW, window_seconds=600)
    assert judgement.verdict is verdict, case
    assert (judgement.first is None) == (verdict is Verdict.NEW)


def test_window_of_zero_takes_every_body() -> None:
    judged = judge(DIGEST, test=False, by_key=None, by_content=FIRST, now=NOW, window_seconds=0)
    assert judged == Judgement(Verdict.NEW)


def test_envelope_says_where_from_and_keeps_the_bytes() -> None:
    offer = Offer(
        "contactatonce",
        "main",
        "k",
        "text/xml; charset=latin-1",
        b"<a>\xe9</a>",
        True,
        None,
        "c-1",
        "00-ab-cd-01",
    )
    envelope = envelope_of(offer, RAW_ID, NOW)
    assert (envelope.id, envelope.source) == (str(RAW_ID), "/ingest/contactatonce/main")
    assert envelope.data == b"<a>\xe9</a>"
    assert envelope.datacontenttype == "text/xml; charset=latin-1"
    assert envelope.extensions == {
        "account": "main",
        "receivedat": "2026-11-21T12:00:00+00:00",
        "test": "true",
        "correlationid": "c-1",
        "traceparent": "00-ab-cd-01",
    }


def test_real_messages_carry_no_test_mark() -> None:
    offer = Offer("contactatonce", "main", "k", "application/json", b"{}", False, None)
    assert set(envelope_of(offer, RAW_ID, NOW).extensions) == {"account", "receivedat"}


def test_body_shows_in_no_repr() -> None:
    offer = Offer("contactatonce", "main", "k", "application/json", b'{"name": "Ann"}', False, None)
    assert "Ann" not in repr(offer)
