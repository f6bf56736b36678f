"""Do the figures of a process that lived through say what its tables say?

Each line is one counter and the rows it counts; both are compared over the same stretch of time, between two
moments in which nothing is under way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.guarantees.crash_points.scene import Scene


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """`metric`, summed over what `labels` leave open, and the statement that counts the same."""

    service: str
    what: str
    metric: str
    rows: str
    labels: Mapping[str, str] = field(default_factory=dict)


LINES = (
    Line("ingest", "raw messages taken", "leadbus_raw_accepted_total", "SELECT count(*) FROM raw"),
    Line(
        "ingest",
        "raw messages published",
        "leadbus_outbox_published_total",
        "SELECT count(*) FROM raw WHERE published_at IS NOT NULL",
    ),
    Line(
        "normalizer",
        "leads made",
        "leadbus_raw_normalized_total",
        "SELECT count(*) FROM lead",
        {"change": "received"},
    ),
    Line(
        "normalizer",
        "times in quarantine",
        "leadbus_raw_quarantined_total",
        "SELECT coalesce(sum(times), 0) FROM quarantine",
    ),
    Line("adf-mailer", "mails written", "leadbus_adf_mails_total", "SELECT count(*) FROM mail"),
    Line(
        "adf-mailer",
        "messages set aside",
        "leadbus_adf_poison_total",
        "SELECT count(*) FROM poison",
    ),
    Line(
        "adf-mailer",
        "deliveries taken",
        "leadbus_delivery_attempts_total",
        "SELECT count(*) FROM attempt WHERE outcome = 'delivered'",
        {"outcome": "delivered"},
    ),
    Line(
        "adf-mailer",
        "tries in doubt",
        "leadbus_delivery_ambiguous_total",
        "SELECT count(*) FROM attempt WHERE ambiguous",
    ),
    Line(
        "adf-mailer",
        "events published",
        "leadbus_outbox_published_total",
        "SELECT count(*) FROM delivery WHERE finished_at IS NOT NULL",
    ),
)

Standing = dict[Line, tuple[float, float]]


async def standing(scene: Scene, *, without: str) -> Standing:
    """Counter and rows of each line now, but of the service that is to die."""
    found: Standing = {}
    for line in LINES:
        if line.service != without:
            ((rows,),) = await scene.sql(line.service, line.rows)
            found[line] = (scene.counted(line.service, line.metric, **line.labels), float(rows))
    return found


def differences(before: Standing, after: Standing) -> dict[str, str]:
    """Lines whose counter moved otherwise than its rows."""
    return {
        f"{line.service}: {line.what}": f"{counted:g} counted, {rows:g} rows"
        for line in before
        if (counted := after[line][0] - before[line][0]) != (rows := after[line][1] - before[line][1])
    }
