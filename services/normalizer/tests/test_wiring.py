"""How the queues are consumed."""

from __future__ import annotations

from normalizer.app import build
from normalizer.settings import NormalizerSettings
from pydantic import SecretStr


def test_only_the_ledger_waits_for_company() -> None:
    settings = NormalizerSettings(
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/nothing"),
        amqp_url=SecretStr("amqp://127.0.0.1:1"),
        token_key=SecretStr("a-key-of-tests-that-has-32-bytes-or-more"),
    )
    waits = {consumer.queue: consumer._linger_seconds for consumer in build(settings)._consumers}
    assert waits == {"normalizer.raw": 0.0, "normalizer.ledger": 0.5}
