"""docs/retention.md lists every rule of every service, with its default."""

from __future__ import annotations

import re
from pathlib import Path

from adf_mailer.settings import AdfMailerSettings
from ingest.settings import IngestSettings
from normalizer.settings import NormalizerSettings

TABLE = Path(__file__).parent.parent / "docs" / "retention.md"
_ROW = re.compile(r"^\| `([A-Z_]+_RETENTION_[A-Z]+_DAYS)` \| (\d+) \|", re.MULTILINE)


def test_the_table_is_what_the_code_does() -> None:
    written = {variable: float(days) for variable, days in _ROW.findall(TABLE.read_text(encoding="utf-8"))}
    declared = {
        setting.variable: float(str(setting.default))
        for settings in (IngestSettings, NormalizerSettings, AdfMailerSettings)
        for setting in settings.reference()
        if re.fullmatch(r"[A-Z_]+_RETENTION_[A-Z]+_DAYS", setting.variable)
    }
    assert written == declared
