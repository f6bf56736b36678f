"""What one service lets pass, the next one takes."""

from __future__ import annotations

from ingest.sources.setting import MAX_BODY_BYTES
from normalizer.settings import NormalizerSettings

FOREIGN_BODY_BYTES = 5_000_000


def test_the_normalizer_reads_the_largest_message_that_ingest_can_be_set_to_take() -> None:
    limit_bytes = NormalizerSettings.model_fields["body_limit_bytes"].default
    assert MAX_BODY_BYTES <= limit_bytes < FOREIGN_BODY_BYTES
