"""One file per source: its raw bytes into a draft, or a Rejection, and nothing else.

A new source is a new file here and one line in `ADAPTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from normalizer.domain.draft import Draft
from normalizer.sources import contactatonce

Adapter = Callable[[bytes, str | None], Draft]
"""Body and content type to a draft; raises Rejection and nothing else."""

ADAPTERS: Mapping[str, Adapter] = {"contactatonce": contactatonce.read}
