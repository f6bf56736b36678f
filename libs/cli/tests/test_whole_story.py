"""The command against the three real services: from settings in files to a redriven mail."""

from __future__ import annotations

import asyncio
import json
import smtplib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from leadbus.contracts.examples import CONTACTATONCE
from leadbus.envelope import Envelope
from leadbus.messages import raw_message
from leadbus.publisher import Publisher, PublishResult
from leadbus_devstack.stack import Stack
from leadbus_devstack.threads import run_apart
from pydantic import SecretStr

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
DEADLINE_SECONDS = 30


def eventually(probe: Callable[[], Any]) -> Any:
    """What ``probe`` returns once it is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := probe()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


def push(stack: Stack, key: str, payload: dict[str, Any], **query: str) -> str:
    answer = httpx2.post(
        f"{stack.services['ingest'].url}/v1/raw/contactatonce",
        params=query,
        headers={"Authorization": f"Bearer {key}"},
        json=payload,
    )
    answer.raise_for_status()
    return str(answer.json()["raw_id"])


def test_from_settings_to_a_redriven_mail(cli: Any, stack: Stack) -> None:
    applied = cli("apply", "-f", str(EXAMPLES))
    assert (applied.code, applied.err) == (0, "")
    again = cli("apply", "-f", str(EXAMPLES), "--json").json
    assert set(again["summary"]) == {"unchanged"}

    key = cli(
        "source", "key", "create", "contactatonce", "--account", "main", "--label", "test", "--json"
    ).json
    raw_id = push(stack, key["key"], dict(CONTACTATONCE["Chat"]))

    [lead] = eventually(lambda: cli("lead", "list", "--json").json["items"])
    [delivery] = eventually(
        lambda: [
            each
            for each in cli("deliveries", "list", "--subject", lead["lead_id"], "--json").json["items"]
            if each["phase"] == "delivered"
        ]
    )
    story = eventually(
        lambda: (told := cli("lead", "show", raw_id, "--json").json)["lead"]["ledger"] and told
    )
    assert story["lead"]["lead_id"] == lead["lead_id"]
    assert story["raw"][0]["ingest"]["status"] == "published"
    assert story["deliveries"][0]["tries"][0]["outcome"] == "delivered"

    masked, revealed = cli("lead", "show", lead["lead_id"]), cli("lead", "show", lead["lead_id"], "--reveal")
    assert (masked.code, revealed.code) == (0, 0)
    assert "jose.nunez@example.net" not in masked.out
    assert "jose.nunez@example.net" in revealed.out

    mails = len(stack.smtp.messages())
    assert cli("deliveries", "redrive", delivery["id"]).code == 0
    eventually(lambda: len(stack.smtp.messages()) == mails + 1)
    shown = cli("deliveries", "show", delivery["id"])
    assert shown.code == 0
    assert "redrive" in shown.out
    refused = eventually(lambda: (ran := cli("deliveries", "cancel", delivery["id"])).code == 1 and ran)
    assert len(refused.complaints) == 1

    [destination] = cli("destinations", "list", "--json").json["items"]
    assert cli("destinations", "pause", destination["name"], "--reason", "test").code == 0
    assert cli("destinations", "list", "--json").json["items"][0]["pause_reason"] == "test"
    assert cli("destinations", "resume", destination["name"]).code == 0


def bounced(mail: Any) -> bytes:
    """What a mail server writes that has to give up on a mail."""
    return (
        "From: MAILER-DAEMON@mx.relay.example\r\n"
        f"To: {mail.mail_from}\r\n"
        "Subject: Undelivered Mail Returned to Sender\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.relay.example\r\n\r\n"
        f"Final-Recipient: rfc822; {mail.rcpt_to[0]}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 nobody of that name\r\n\r\n--b--\r\n"
    ).encode()


def test_a_bounce_that_comes_later_is_told_with_the_lead(cli: Any, stack: Stack) -> None:
    cli("apply", "-f", str(EXAMPLES))
    key = cli("source", "key", "create", "contactatonce", "--json").json
    known = len(stack.smtp.messages())
    raw_id = push(stack, key["key"], {**CONTACTATONCE["Chat"], "lead_id": "CAO-B1"})
    eventually(lambda: len(stack.smtp.messages()) > known)
    mail = stack.smtp.messages()[-1]
    eventually(lambda: "delivered" in cli("lead", "show", raw_id).out)
    assert stack.bounce_port is not None
    with smtplib.SMTP("127.0.0.1", stack.bounce_port, "mx.relay.example", timeout=20) as client:
        client.sendmail("<>", [mail.mail_from], bounced(mail))

    def bounced_in_the_ledger() -> Any:
        told = cli("lead", "show", raw_id, "--json").json
        return [one["outcome"] for one in told["lead"]["ledger"]] == ["bounced"] and told

    story = eventually(bounced_in_the_ledger)
    assert (story["lead"]["state"], story["lead"]["ledger"][0]["state"]) == ("failed", "failed")
    shown = cli("lead", "show", raw_id).out
    for seen in ("bounced", "bad_address", "mx.relay.example", "5.1.1", "nobody of that name"):
        assert seen in shown
    [listed] = cli("adf", "bounces", "--delivery", story["deliveries"][0]["id"], "--json").json["items"]
    assert listed["became"] == "failed"
    assert "nobody of that name" in cli("adf", "bounce", str(listed["id"]), "--raw", "--json").json["body"]


def test_quarantine_is_listed_shown_replayed_and_discarded(cli: Any, stack: Stack) -> None:
    cli("apply", "-f", str(EXAMPLES))
    key = cli("source", "key", "create", "contactatonce", "--json").json
    payload = {**CONTACTATONCE["TrackedCall"], "dealer": {"id": "nobody"}, "lead_id": "CAO-Q1"}
    raw_id = push(stack, key["key"], payload)
    [entry] = eventually(
        lambda: cli("quarantine", "list", "--source", "contactatonce", "--json").json["items"]
    )
    assert (entry["reason"], entry["raw_id"], entry["location"]) == ("location_unmapped", raw_id, "nobody")

    assert "location_unmapped" in cli("quarantine", "show", entry["id"]).out
    assert json.loads(cli("quarantine", "show", entry["id"], "--reveal").out) == payload
    assert "location_unmapped" in cli("lead", "show", raw_id).out
    assert "still quarantined: location_unmapped" in cli("quarantine", "replay", entry["id"]).out
    assert cli("quarantine", "discard", entry["id"], "--reason", "a test").code == 0
    assert cli("quarantine", "list").out == "none\n"
    closed = cli("quarantine", "replay", entry["id"])
    assert (closed.code, len(closed.complaints)) == (1, 1)


def test_keys_are_rotated_and_revoked(cli: Any) -> None:
    cli("apply", "-f", str(EXAMPLES))
    made = cli("source", "key", "create", "contactatonce", "--label", "old", "--json").json
    rotated = cli("source", "key", "rotate", "contactatonce", made["key_id"], "--grace", "0", "--json").json
    assert rotated["key"] != made["key"]
    assert cli("source", "key", "revoke", "contactatonce", rotated["key_id"]).code == 0
    states = {
        each["key_id"]: each["state"]
        for each in cli("source", "key", "list", "contactatonce", "--json").json["items"]
    }
    assert "active" not in {states[made["key_id"]], states[rotated["key_id"]]}
    assert made["key"] not in cli("source", "key", "list", "contactatonce").out


def test_a_token_made_here_is_taken_there(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    token = cli("token", "create", "--role", "viewer", "--subject", "vic").out.strip()
    monkeypatch.setenv("LEADBUS_TOKEN", token)
    assert cli("lead", "list").code == 0
    ran = cli("apply", "-f", str(EXAMPLES))
    assert ran.code == 1
    assert "role admin is needed" in ran.complaints[0]


def published(stack: Stack, payload: dict[str, Any], message_id: str) -> None:
    """As a publisher of the source does it, straight to the exchange, marked as a test."""
    envelope = Envelope(
        id=message_id,
        source="/a-publisher",
        type="lead",
        datacontenttype="application/json",
        extensions={"account": "main", "test": "true"},
        data=json.dumps(payload).encode(),
    )

    async def publish() -> None:
        publisher = Publisher(SecretStr(stack.vhost.amqp_url), app_id="a-publisher")
        await publisher.start()
        try:
            message = raw_message("contactatonce", envelope)
            async with asyncio.timeout(DEADLINE_SECONDS):
                while await publisher.publish_many([message]) != [PublishResult.CONFIRMED]:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        finally:
            await publisher.close()

    run_apart(publish)


@pytest.mark.parametrize("way_in", ["ingest", "broker"])
def test_a_test_lead_goes_all_the_way_and_to_nobody(cli: Any, stack: Stack, way_in: str) -> None:
    cli("apply", "-f", str(EXAMPLES))
    phone = {"ingest": "+13125550171", "broker": "+13125550172"}[way_in]
    customer = {"name": "Test Person", "phone": phone}
    payload = {**CONTACTATONCE["Chat"], "lead_id": f"CAO-T-{way_in}", "customer": customer}
    if way_in == "ingest":
        key = cli("source", "key", "create", "contactatonce", "--account", "main", "--json").json
        push(stack, key["key"], payload, test="true")
    else:
        published(stack, payload, "a-test-of-the-way")
    mails = len(stack.smtp.messages())

    [lead] = eventually(lambda: cli("lead", "find", "--phone", phone, "--json").json["items"])
    assert lead["test"] is True
    said = eventually(
        lambda: (told := cli("lead", "show", lead["lead_id"], "--json").json)["lead"]["ledger"] and told
    )
    assert [(each["state"], each["outcome"]) for each in said["lead"]["ledger"]] == [("skipped", "test_lead")]
    assert [each["test"] for each in said["deliveries"]] == [True]
    assert len(stack.smtp.messages()) == mails

    story = cli("lead", "show", lead["lead_id"]).out.splitlines()
    marked = [line for line in story if line.endswith("TEST")]
    assert [line.split()[0] for line in marked] == ["lead", "raw", "delivery"]
    assert phone not in "".join(story)
    [row] = [line for line in cli("lead", "list", "--test").out.splitlines() if lead["lead_id"] in line]
    assert "TEST" in row
    assert lead["lead_id"] not in cli("lead", "list", "--no-test").out
