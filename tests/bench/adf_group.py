"""Row (d): ADF documents written and proven, one after the other, in one process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adf_mailer.domain.document import Form, render
from leadbus.contracts.events import LeadReceived

from tests.bench.groups import Group, value_row
from tests.bench.machine import codec_unit_us, per_second
from tests.bench.rig import Rig
from tests.bench.rounds import Case, Samples
from tests.bench.rows import Row

_SECONDS = 2.0


@dataclass(frozen=True)
class AdfCase:
    """Documents/s of `render`, which validates what it made by the profile DTD; and its CPU time."""

    rig: Rig
    seconds: float
    name: str = "adf_render_validate"

    async def run(self) -> Mapping[str, float]:
        lead = LeadReceived.model_validate_json(self.rig.sample.event).lead
        form = Form("leads@dealer.example", time_zone="America/Chicago")
        began = time.process_time()
        rate = per_second(lambda: render(lead, form), seconds=self.seconds)
        cpu_us = (time.process_time() - began) * 1e6 / (rate * self.seconds)
        return {"rate": rate, "cpu": cpu_us, "codec_unit": codec_unit_us(self.rig.sample.event)}


def _cases(rig: Rig, scale: float) -> Sequence[Case]:
    return [AdfCase(rig, _SECONDS * scale)]


def _rows(samples: Samples) -> list[Row]:
    case = "adf_render_validate"
    return [
        value_row(samples, case, case, "rate", "documents/s"),
        value_row(samples, f"{case}_cpu", case, "cpu", "µs/document"),
        value_row(samples, "codec_unit", case, "codec_unit", "µs"),
    ]


ADF = Group("adf_render_validate", _cases, _rows)
