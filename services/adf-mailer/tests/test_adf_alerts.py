"""RC16: what the alert rules about refused mails look at."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
from adf_mailer.delivery import sink
from adf_mailer.delivery.replies import Reply, Step, refusal
from leadbus.clock import SystemClock

RUNBOOK = Path(__file__).parents[3] / "docs" / "runbooks" / "refused-mail.md"


def asked_for() -> list[str]:
    """The reasons in the rules' selectors."""
    rules = RUNBOOK.read_text("utf-8").partition("```yaml")[2].partition("```")[0]
    found = re.findall(
        r'leadbus_delivery_attempts_total\{sink="adf-mailer",outcome="refused",reason=~?"([\w|]+)"\}', rules
    )
    return [reason for one in found for reason in one.split("|")]


def test_rc16_a_process_has_the_series_of_every_rule_before_the_first_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A series that appears with its first refusal has not risen: no rule would see it."""

    class Attempts:
        def __init__(self) -> None:
            self.series: list[dict[str, str]] = []

        def labels(self, **values: str) -> None:
            self.series.append(values)

    attempts, none = Attempts(), cast("Any", None)
    monkeypatch.setattr(sink, "ATTEMPTS", attempts)
    sink.AdfMailSink(none, none, none, none, none, SystemClock())

    expected = [{"sink": "adf-mailer", "outcome": "refused", "reason": reason} for reason in asked_for()]
    assert attempts.series == expected


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("554 5.7.1 no", id="RC16-policy"),
        pytest.param("500 5.5.1 what", id="RC16-protocol"),
        pytest.param("554 5.6.0 not this", id="RC16-content"),
    ],
)
def test_the_rules_name_what_a_reply_becomes(said: str) -> None:
    reply = Reply.of(said)
    assert reply is not None
    assert refusal(Step.CONTENT, reply).reason in asked_for()
