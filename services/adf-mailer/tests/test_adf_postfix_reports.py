"""MT60–MT67: what a real mail server reports about mails that it took with 250. Table: rules/real-mta.md.

`UPDATE_BOUNCES=1` keeps the reports as `bounces/postfix-*.eml`: samples for whoever reads bounces.
"""

from __future__ import annotations

import asyncio
import os
import smtplib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from leadbus.delivery import Delivered
from leadbus_devstack import private_servers
from leadbus_devstack.postfix import HOST_NAME, NativePostfix, To
from leadbus_devstack.pytest_plugin import private

from tests.support.postfix_client import Client
from tests.support.report_listener import ArrivedReport, ReportListener, listening_for_reports

HERE = Path(__file__).parent
RAW = (HERE / "golden" / "chat.eml").read_bytes()
MESSAGE_ID = "<340b55c1-0559-5b0b-b869-c4a33f2e5715@leadbus.example>"


@pytest.fixture
def sender() -> str:
    """An envelope sender that no other test has."""
    return f"bounces+{uuid4().hex}@leadbus.example"


@pytest.fixture
async def reports(postfix: NativePostfix) -> AsyncIterator[ReportListener]:
    async with listening_for_reports(postfix.bounces_port) as listener:
        yield listener


@pytest.fixture
def impatient_postfix() -> Iterator[NativePostfix]:
    """Gives up after seconds, where others try for days."""
    settings = {"maximal_queue_lifetime": "3s"}
    with private(private_servers.private_postfix(settings=settings)) as server:
        yield server


async def send(postfix: NativePostfix, recipient: str, sender: str) -> None:
    async with Client(postfix) as client:
        assert isinstance(await client.send(recipient, RAW, sender=sender), Delivered)


async def send_asking_for_reports(
    postfix: NativePostfix, recipient: str, sender: str, *, envelope_id: str, notify: str
) -> None:
    """By the words of RFC 3461, whether or not adf-mailer says them."""

    def talk() -> None:
        with smtplib.SMTP("127.0.0.1", postfix.port, "leadbus.example") as client:
            client.sendmail(
                sender,
                [recipient],
                RAW,
                ["RET=HDRS", f"ENVID={envelope_id}"],
                [f"NOTIFY={notify}", f"ORCPT=rfc822;{recipient}"],
            )

    await asyncio.to_thread(talk)


def keep(name: str, report: ArrivedReport) -> None:
    """As a sample, when that is asked for. All names in it are examples'."""
    if os.environ.get("UPDATE_BOUNCES"):
        folder = HERE / "bounces"
        folder.mkdir(exist_ok=True)
        (folder / f"postfix-{name}.eml").write_bytes(report.raw)


BOUNCED = [
    ("MT60", "no-such-mailbox", To.BOUNCED, "5.1.1", "smtp; 550 5.1.1"),
    ("MT61", "over-quota", To.BOUNCED_FULL, "5.2.2", "smtp; 552 5.2.2"),
]


@pytest.mark.parametrize(
    ("name", "recipient", "status", "diagnostic"),
    [row[1:] for row in BOUNCED],
    ids=[row[0] for row in BOUNCED],
)
async def test_a_mail_that_the_next_host_refuses_comes_back(
    name: str,
    recipient: To,
    status: str,
    diagnostic: str,
    postfix: NativePostfix,
    reports: ReportListener,
    sender: str,
) -> None:
    await send(postfix, recipient, sender)

    report = await reports.of(sender, "failed")
    keep(name, report)
    about_mail, about_recipient = report.fields
    assert report.mail_from == "", "nobody answers a report"
    assert report.message.get_content_type() == "multipart/report"
    assert report.message["Auto-Submitted"] == "auto-replied"
    assert about_mail["Reporting-MTA"] == f"dns; {HOST_NAME}"
    assert about_recipient["Final-Recipient"] == f"rfc822; {recipient}"
    assert about_recipient["Status"] == status
    assert about_recipient["Diagnostic-Code"].startswith(diagnostic)
    assert report.returned["Message-ID"] == MESSAGE_ID


async def test_mt62_a_mail_that_has_to_wait_is_reported_as_delayed(
    postfix: NativePostfix, reports: ReportListener, sender: str
) -> None:
    await send(postfix, To.DELAYED, sender)

    report = await reports.of(sender, "delayed")
    keep("delayed", report)
    _, about_recipient = report.fields
    assert about_recipient["Status"] == "4.2.1"
    assert about_recipient["Will-Retry-Until"]
    assert report.returned["Message-ID"] == MESSAGE_ID
    assert postfix.queued() >= 1, "it is still being tried"


async def test_mt63_given_up_at_last_it_failed_with_a_status_of_waiting(
    impatient_postfix: NativePostfix, sender: str
) -> None:
    """`Action: failed` counts, whatever the status looks like."""
    async with listening_for_reports(impatient_postfix.bounces_port) as reports:
        await send(impatient_postfix, To.DELAYED, sender)

        report = await reports.of(sender, "failed")
    keep("expired", report)
    assert report.fields[1]["Status"] == "4.2.1"
    actions = [one.fields[1]["Action"] for one in reports.arrived if one.rcpt_to == sender]
    assert (actions[0], actions[-1]) == ("delayed", "failed")


async def test_mt64_a_host_behind_that_nobody_answers_at(
    impatient_postfix: NativePostfix, sender: str
) -> None:
    async with listening_for_reports(impatient_postfix.bounces_port) as reports:
        await send(impatient_postfix, To.BEHIND, sender)

        report = await reports.of(sender, "failed")
    keep("unreachable", report)
    about_recipient = report.fields[1]
    assert about_recipient["Status"] == "4.4.1"
    assert about_recipient["Diagnostic-Code"].startswith("X-Postfix; connect to")


async def test_mt65_the_envelope_id_comes_back(
    postfix: NativePostfix, reports: ReportListener, sender: str
) -> None:
    await send_asking_for_reports(
        postfix, To.BOUNCED, sender, envelope_id="340b55c1-0559", notify="FAILURE,DELAY"
    )

    report = await reports.of(sender, "failed")
    keep("envelope-id", report)
    about_mail, about_recipient = report.fields
    assert about_mail["Original-Envelope-Id"] == "340b55c1-0559"
    assert about_recipient["Original-Recipient"] == f"rfc822;{To.BOUNCED}"
    assert report.returned["Message-ID"] == MESSAGE_ID
    assert report.returned.get_payload() == "", "RET=HDRS: nothing of the lead travels again"


async def test_mt66_success_is_reported_where_it_is_asked_for(
    postfix: NativePostfix, reports: ReportListener, sender: str
) -> None:
    await send_asking_for_reports(postfix, To.MAILBOX, sender, envelope_id="x", notify="SUCCESS")

    report = await reports.of(sender, "delivered")
    keep("delivered", report)
    assert report.fields[1]["Status"] == "2.0.0"


async def test_mt67_a_report_waits_for_a_listener_that_is_away(postfix: NativePostfix, sender: str) -> None:
    """Down for a while, whoever takes bounces loses none."""
    await send(postfix, To.BOUNCED, sender)
    refused = f"connect to 127.0.0.1[127.0.0.1]:{postfix.bounces_port}: Connection refused"
    async with asyncio.timeout(30):
        while f"to=<{sender}>" not in postfix.log.read_text():  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.05)
    assert refused in postfix.log.read_text()

    async with listening_for_reports(postfix.bounces_port) as reports:
        assert (await reports.of(sender, "failed")).returned["Message-ID"] == MESSAGE_ID
