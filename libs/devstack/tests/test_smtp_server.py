"""The mail-storing SMTP server: what it keeps, and each way it can misbehave."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from leadbus_devstack.smtp import SmtpServer

MAIL = (
    b"Message-ID: <1@sender.test>\r\nSubject: =?utf-8?q?J=C3=B6rg?=\r\n"
    b"\r\nline\r\n.dot first\r\n8-bit: \xc3\xbc\r\n"
)
DEALER = "leads@dealer.test"


@contextmanager
def session(server: SmtpServer, timeout_seconds: float = 10) -> Iterator[smtplib.SMTP]:
    client = smtplib.SMTP(server.host, server.port, local_hostname="client.test", timeout=timeout_seconds)
    try:
        yield client
    finally:
        client.close()


def send(server: SmtpServer, *recipients: str, timeout_seconds: float = 10) -> None:
    with session(server, timeout_seconds) as client:
        client.sendmail("leadbus@sender.test", recipients or (DEALER,), MAIL)


def test_a_mail_is_kept_byte_for_byte_with_its_envelope(smtp: SmtpServer) -> None:
    send(smtp, DEALER, "second@dealer.test")
    send(smtp)
    first, second = smtp.messages()
    assert first.content == MAIL
    assert (first.mail_from, first.rcpt_to) == ("leadbus@sender.test", [DEALER, "second@dealer.test"])
    assert first.helo == "client.test"
    assert first.message_id == "<1@sender.test>"
    assert first.message["Subject"] == "Jörg"
    assert first.path.parent == smtp.mail_dir
    assert first.received_at < second.received_at


def test_refused_connections_and_back(smtp: SmtpServer) -> None:
    smtp.control(refuse=True)
    with pytest.raises(ConnectionRefusedError):
        send(smtp)
    smtp.control()
    send(smtp)
    assert len(smtp.messages()) == 1


def test_refusing_cuts_connections_that_are_open(smtp: SmtpServer) -> None:
    with session(smtp) as client:
        client.ehlo()
        smtp.control(refuse=True)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.noop()


def test_a_busy_greeting(smtp: SmtpServer) -> None:
    smtp.control(banner="421 4.3.2 too busy")
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        send(smtp)
    assert refused.value.smtp_code == 421


@pytest.mark.parametrize(
    ("fault", "error"),
    [("ehlo", smtplib.SMTPHeloError), ("mail", smtplib.SMTPSenderRefused), ("data", smtplib.SMTPDataError)],
)
def test_replies_by_command(smtp: SmtpServer, fault: str, error: type[smtplib.SMTPResponseException]) -> None:
    smtp.control(**{fault: "451 4.3.0 not now"})
    with pytest.raises(error) as refused:
        send(smtp)
    assert refused.value.smtp_code == 451
    assert smtp.messages() == []


def test_replies_by_recipient(smtp: SmtpServer) -> None:
    smtp.control(rcpt={DEALER: "550 5.1.1 nobody here", "*": "450 4.2.1 full"})
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(smtp, DEALER, "other@dealer.test")
    codes = {address: code for address, (code, _) in refused.value.recipients.items()}
    assert codes == {DEALER: 550, "other@dealer.test": 450}


@pytest.mark.parametrize(("drop", "kept"), [("stored", 1), ("unstored", 0)])
def test_the_connection_drops_after_the_final_dot(smtp: SmtpServer, drop: str, kept: int) -> None:
    smtp.control(drop_after_dot=drop)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(smtp)
    assert len(smtp.messages()) == kept


@pytest.mark.parametrize(("hang", "kept"), [("stored", 1), ("unstored", 0)])
def test_no_answer_after_the_final_dot(smtp: SmtpServer, hang: str, kept: int) -> None:
    smtp.control(hang_after_data=hang)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        send(smtp, timeout_seconds=0.5)
    assert len(smtp.messages()) == kept


def test_the_connection_drops_before_the_text(smtp: SmtpServer) -> None:
    smtp.control(drop_after_data=True)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(smtp)
    assert smtp.messages() == []


def test_a_slow_server_is_slower_than_an_impatient_client(smtp: SmtpServer) -> None:
    smtp.control(delay_seconds=5)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        send(smtp, timeout_seconds=0.3)


def test_a_fault_can_show_itself_a_number_of_times(smtp: SmtpServer) -> None:
    smtp.control(data="451 4.3.0 not now", times=2)
    for _ in range(2):
        with pytest.raises(smtplib.SMTPDataError):
            send(smtp)
    send(smtp)
    assert len(smtp.messages()) == 1


def test_reset_forgets_mails_and_faults(smtp: SmtpServer) -> None:
    send(smtp)
    smtp.control(data="451 4.3.0 not now")
    smtp.reset()
    assert smtp.messages() == []
    send(smtp)


def test_an_unknown_fault_is_a_mistake_of_the_test(smtp: SmtpServer) -> None:
    with pytest.raises(ValueError, match="explode"):
        smtp.control(explode=True)
