"""Notifications of the BDK: what is taken, and every row of the README's table of bad input."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ingest.bdk.proof import signature

from tests.support.bdk_bank import NAME, VARIABLE, Bank, lead

THIN = {"leadId": "LS-1", "partnerNumber": "0047110", "bdkLeadTypeId": "1e"}


@pytest.fixture
def settings_given() -> dict[str, Any]:
    return {"partners_over_http": True}


async def test_a_thin_notification_is_a_lead_to_fetch(bank: Bank) -> None:
    answer = await bank.notify(THIN)
    assert answer.status_code == 202, answer.text
    assert answer.json() == {
        "connection": NAME,
        "lead_id": "LS-1",
        "came_to": "to_fetch",
        "repeated": False,
        "raw_id": None,
    }
    row = await bank.read()
    assert (row["state"], row["asked"], json.loads(row["notice"])) == ("due", 1, THIN)
    assert row["correlation_id"] == answer.headers["X-Correlation-Id"]
    assert await bank.bodies() == []


async def test_a_fat_notification_is_the_lead(bank: Bank) -> None:
    body = json.dumps(lead(), indent=2).encode()
    answer = await bank.notify(body)
    assert (answer.status_code, answer.json()["came_to"]) == (202, "lead")
    (row,) = await bank.ingest.rows("SELECT * FROM raw")
    assert (row["body"], row["account"], row["key_id"], row["test"]) == (body, NAME, None, False)
    assert answer.json()["raw_id"] == str(row["raw_id"])
    assert (await bank.read())["state"] == "done"
    again = await bank.notify(json.dumps(lead()).encode())
    assert (again.json()["repeated"], again.json()["raw_id"]) == (True, str(row["raw_id"]))
    assert len(await bank.ingest.rows("SELECT FROM outbox")) == 1


async def test_a_fat_test_lead_is_marked_as_one(bank: Bank) -> None:
    await bank.notify(lead(test=True))
    (row,) = await bank.ingest.rows("SELECT test FROM raw")
    assert row["test"] is True


async def test_of_a_fat_one_only_the_id_counts_where_the_setting_says_so(bank: Bank) -> None:
    await bank.connect(fat="fetch")
    assert (await bank.notify(lead())).json()["came_to"] == "to_fetch"
    await bank.put(lead(message="as the bank has it"))
    await bank.fetch()
    (body,) = await bank.bodies()
    assert json.loads(body)["message"] == "as the bank has it"
    assert (await bank.read())["notice"] is None, "what was in the notification is gone with its fetching"


async def test_a_fat_one_without_partner_number_is_fetched(bank: Bank) -> None:
    whole = lead()
    del whole["partnerNumber"]
    assert (await bank.notify(whole)).json()["came_to"] == "to_fetch"


async def test_without_a_name_the_secret_says_whose_it_is(bank: Bank) -> None:
    answer = await bank.notify(THIN, name=None)
    assert (answer.status_code, answer.json()["connection"]) == (202, NAME)


async def test_the_body_may_be_signed_instead(bank: Bank) -> None:
    proof = {"kind": "hmac_sha256", "header": "X-Signature", "secrets": [f"env:{VARIABLE}"]}
    await bank.connect(notifications=proof)
    body = json.dumps(THIN).encode()
    good = signature(body, bank.sandbox.secret)
    assert (await bank.notify(body, X_Signature=good)).status_code == 202
    assert (await bank.notify(body + b" ", X_Signature=good)).status_code == 401
    assert (await bank.notify(body, X_Signature=bank.sandbox.secret)).status_code == 401


async def test_a_secret_is_changed_without_a_gap(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BDK_NEXT_SECRET", "next-secret")
    await bank.connect(notifications={"secrets": ["env:BDK_NEXT_SECRET", f"env:{VARIABLE}"]})
    assert (await bank.notify(THIN)).status_code == 202
    assert (await bank.notify(THIN, secret="next-secret")).status_code == 202


async def test_both_spellings_and_any_type_are_taken(bank: Bank) -> None:
    types: list[dict[str, Any]] = [{"bdkLeadTypeld": "1e"}, {"bdkLeadTypeId": "99z"}, {"bdkLeadTypeId": [1]}]
    for number, told in enumerate(types):
        assert (await bank.notify({"leadId": f"LS-{number}", **told})).status_code == 202


BAD_INPUT: dict[str, tuple[dict[str, Any], int, str, bool]] = {
    "bdk-no-proof": ({"secret": ""}, 401, "proof_invalid", False),
    "bdk-wrong-secret": ({"secret": "wrong"}, 401, "proof_invalid", False),
    "bdk-unknown-connection": ({"name": "nobody"}, 401, "proof_invalid", False),
    "bdk-not-json-type": ({"Content_Type": "text/plain"}, 415, "unsupported_type", False),
    "bdk-xml": ({"Content_Type": "application/xml"}, 415, "unsupported_type", False),
    "bdk-compressed": ({"Content_Encoding": "gzip"}, 415, "unsupported_type", False),
    "bdk-too-large": ({"body": b'{"leadId": "' + b"x" * 2**20 + b'"}'}, 413, "too_large", False),
    "bdk-not-json": ({"body": b'{"leadId": "LS-1"'}, 400, "unreadable", True),
    "bdk-latin-1": ({"body": '{"leadId": "Lüs"}'.encode("latin-1")}, 400, "unreadable", True),
    "bdk-empty": ({"body": b""}, 400, "unreadable", True),
    "bdk-no-lead-id": ({"body": {"partnerNumber": "0047110"}}, 422, "unreadable", True),
    "bdk-blank-lead-id": ({"body": {"leadId": " "}}, 422, "unreadable", True),
    "bdk-dots": ({"body": {"leadId": ".."}}, 422, "unreadable", True),
    "bdk-list": ({"body": [THIN]}, 422, "unreadable", True),
}


@pytest.mark.parametrize(("sent", "status", "code", "kept"), BAD_INPUT.values(), ids=list(BAD_INPUT))
async def test_bad_input(bank: Bank, sent: dict[str, Any], status: int, code: str, kept: bool) -> None:
    body = sent.get("body", THIN)
    answer = await bank.notify(body, **{name: value for name, value in sent.items() if name != "body"})
    told = answer.json()
    assert (answer.status_code, told["code"]) == (status, code), told
    assert answer.headers["content-type"] == "application/problem+json"
    assert await bank.ingest.count("bdk_read") == await bank.ingest.count("raw") == 0
    entries = await bank.kept()
    assert len(entries) == kept
    if kept:
        assert told["raw_id"] == str(entries[0]["raw_id"])
        assert entries[0]["body"] == (body if isinstance(body, bytes) else json.dumps(body).encode())
        assert (entries[0]["account"], entries[0]["reason"]) == (NAME, "payload_invalid")


async def test_bad_input_is_kept_once_however_often_it_comes(bank: Bank) -> None:
    for _ in range(3):
        assert (await bank.notify(b"<html>")).status_code == 400
    assert len(await bank.kept()) == 1
    assert await bank.ingest.count("outbox") == 1


async def test_bdk_switched_off(bank: Bank) -> None:
    await bank.connect(enabled=False)
    assert (await bank.notify(THIN)).status_code == 403
    assert (await bank.notify(THIN, secret="wrong")).status_code == 401


async def test_bdk_takes_no_notifications(bank: Bank) -> None:
    await bank.connect(notifications=None)
    assert (await bank.notify(THIN)).status_code == 401
    assert (await bank.notify(THIN, secret="")).status_code == 401


async def test_bdk_secret_of_several(bank: Bank) -> None:
    await bank.connect("other")
    answer = await bank.notify(THIN, name=None)
    assert (answer.status_code, answer.json()["code"]) == (409, "ambiguous")
    assert (await bank.notify(THIN, name="other")).json()["connection"] == "other"


async def test_a_secret_that_is_gone_opens_nothing(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    assert (await bank.notify(THIN, secret="")).status_code == 401


async def test_without_the_database_it_is_told_to_come_again(bank: Bank) -> None:
    await bank.ingest.database.close()
    answer = await bank.notify(THIN)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    await bank.ingest.database.open()
    assert (await bank.notify(THIN)).status_code == 202
