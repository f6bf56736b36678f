"""``leadbus topology`` on a real broker."""

from __future__ import annotations

from typing import Any

import pytest
from leadbus.topology import TOPOLOGY
from leadbus_devstack.vhosts import Vhost


def test_apply_makes_the_broker_so_and_again_changes_nothing(
    leadbus: Any, clean_vhost: Vhost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADBUS_AMQP_URL", clean_vhost.amqp_url)
    monkeypatch.setenv("LEADBUS_MANAGEMENT_URL", clean_vhost.management_url)
    first = leadbus("topology", "apply")
    assert (first.code, first.err) == (0, "")
    assert f"{len(TOPOLOGY.queues)} queues" in first.out
    assert leadbus("topology", "apply", "--json").json["queues"] == len(TOPOLOGY.queues)


@pytest.mark.parametrize("which", ["AMQP", "MANAGEMENT"])
def test_a_broker_that_is_away_is_said(
    leadbus: Any, clean_vhost: Vhost, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    monkeypatch.setenv("LEADBUS_AMQP_URL", clean_vhost.amqp_url)
    monkeypatch.setenv("LEADBUS_MANAGEMENT_URL", clean_vhost.management_url)
    monkeypatch.setenv(
        f"LEADBUS_{which}_URL", "http://127.0.0.1:1" if which == "MANAGEMENT" else "amqp://127.0.0.1:1/"
    )
    ran = leadbus("topology", "apply")
    assert (ran.code, ran.out) == (1, "")
    assert ran.complaints


def test_without_a_broker_it_says_what_to_set(leadbus: Any) -> None:
    assert "LEADBUS_AMQP_URL" in leadbus("topology", "apply").complaints[0]


def test_show_and_definitions_need_no_broker(leadbus: Any) -> None:
    assert "queue normalizer.raw" in leadbus("topology", "show").out
    definitions = leadbus("topology", "definitions", "--vhost", "leads").json
    assert {queue["vhost"] for queue in definitions["queues"]} == {"leads"}
    assert {queue["name"] for queue in definitions["queues"]} == {queue.name for queue in TOPOLOGY.queues}
