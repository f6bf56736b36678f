"""Every server of a process behind a proxy of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from leadbus_devstack.fault_proxy import Mode
from leadbus_devstack.links import Links, Server
from leadbus_devstack.ports import is_free

SETTINGS = {
    "AMQP_URL": "amqp://user:secret@127.0.0.1:5672/leadbus?heartbeat=3",
    "DATABASE_URL": "postgresql://postgres@127.0.0.1:5432/normalizer",
}
WITH_SMTP = {**SETTINGS, "SMTP_HOST": "127.0.0.1", "SMTP_PORT": "2525", "SMTP_TLS": "off"}


@pytest.fixture
def links() -> Iterator[Links]:
    made = Links()
    yield made
    made.stop()


def listening(port: int) -> bool:
    # Not by a connection: nobody is behind these proxies, and a reset may come before the connect returns.
    return not is_free(port)


def port_of(url: str) -> int:
    return int(url.rpartition("@")[2].partition(":")[2].partition("/")[0])


def test_urls_lead_to_proxies_that_listen(links: Links) -> None:
    led = links.lead("normalizer", "normalizer", SETTINGS)
    ports = [port_of(led[name]) for name in SETTINGS]
    assert led["AMQP_URL"] == f"amqp://user:secret@127.0.0.1:{ports[0]}/leadbus?heartbeat=3"
    assert led["DATABASE_URL"] == f"postgresql://postgres@127.0.0.1:{ports[1]}/normalizer"
    assert all(listening(port) for port in ports)
    links.stop()
    assert not any(listening(port) for port in ports)


def test_replicas_share_the_way_to_the_mail_server_alone(links: Links) -> None:
    first = links.lead("adf-mailer", "adf-mailer", WITH_SMTP)
    second = links.lead("adf-mailer", "adf-mailer-2", WITH_SMTP)
    assert first["SMTP_PORT"] == second["SMTP_PORT"] != "2525", "its address names the destination"
    assert first["SMTP_TLS"] == "off"
    assert first["AMQP_URL"] != second["AMQP_URL"]


def test_a_mode_is_set_for_a_server_or_a_process(links: Links) -> None:
    mailer = links.lead("adf-mailer", "adf-mailer", WITH_SMTP)
    normalizer = links.lead("normalizer", "normalizer", SETTINGS)
    links.set(Mode.REFUSE, server=Server.RABBITMQ, process="normalizer")
    assert not listening(port_of(normalizer["AMQP_URL"]))
    assert listening(port_of(normalizer["DATABASE_URL"]))
    assert listening(port_of(mailer["AMQP_URL"]))
    links.set(Mode.REFUSE, server=Server.POSTGRES)
    assert not listening(port_of(mailer["DATABASE_URL"]))
    links.set(Mode.PASS)
    assert all(listening(port_of(led[name])) for led in (mailer, normalizer) for name in SETTINGS)
    with pytest.raises(ValueError, match="no link of normalizer to smtp"):
        links.set(Mode.CUT, server=Server.SMTP, process="normalizer")
    assert listening(int(mailer["SMTP_PORT"]))
