"""`python -m tests.bench`: all rows, or some; exit code 1 when a gate is missed, 2 when it cannot be run."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from leadbus_devstack.errors import DevstackError, ServerMissingError
from leadbus_devstack.signals import Ended, ending_in_order

from tests.bench import machine, report
from tests.bench.adf_group import ADF
from tests.bench.amqp_link import LinkError
from tests.bench.counters_group import COUNTERS
from tests.bench.door_group import DOOR
from tests.bench.drain import StalledError
from tests.bench.groups import Group
from tests.bench.growth_group import GROWTH
from tests.bench.http_load import RefusedError
from tests.bench.latency_group import LATENCY
from tests.bench.postfix_group import POSTFIX
from tests.bench.reading_group import READING
from tests.bench.rig import LOGS, Rig, standing
from tests.bench.rounds import interleaved
from tests.bench.rows import Row, missed
from tests.bench.same_rows import DifferentRowsError
from tests.bench.sink_group import SINK
from tests.bench.smtp_group import SMTP, MailNotTakenError
from tests.bench.stage_group import STAGE
from tests.bench.stages_group import STAGES

GROUPS = (STAGE, COUNTERS, STAGES, LATENCY, DOOR, READING, ADF, SMTP, POSTFIX, SINK, GROWTH)
RESULTS = Path(".leadbus/bench.json")
PART_OF_RESULTS = Path(".leadbus/bench-part.json")
FACTS = Path(".leadbus/bench-machine.json")
RETRY_ROUNDS = 5
_QUICK_SCALE = 0.3
_TROUBLE = (DevstackError, DifferentRowsError, LinkError, MailNotTakenError, RefusedError, StalledError)


@dataclass(frozen=True, slots=True)
class Options:
    """`scale` multiplies numbers of messages; below 1 the figures are for a look only."""

    only: Sequence[str]
    rounds: int
    scale: float

    @property
    def whole(self) -> bool:
        """Every row, at full size."""
        return not self.only and self.scale >= 1


def read_options(words: Sequence[str]) -> Options:
    names = [group.name for group in GROUPS]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        choices=names,
        default=[],
        help="measure this group of rows only; may be given several times",
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each case runs (default: 3)")
    parser.add_argument(
        "--quick", action="store_true", help="one round with fewer messages: for a look, not for a figure"
    )
    given = parser.parse_args(words)
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    rounds, scale = (1, _QUICK_SCALE) if given.quick else (given.rounds, 1.0)
    return Options(given.only, rounds, scale)


def main(words: Sequence[str]) -> int:
    options = read_options(words)
    began = time.monotonic()
    machine_facts = machine.look()
    print(machine_facts)
    try:
        groups = choose(options)
        with ending_in_order(), standing() as rig:
            settings = rig.postgres_settings()
            print(f"{rig.servers.description}; {', '.join(map(' '.join, settings.items()))}", flush=True)
            if options.scale >= 1:
                refuse_forgetful(settings)
            rows = measure(rig, groups, options)
            facts = asdict(machine_facts) | {"servers": rig.servers.description, "postgres": settings}
    except _TROUBLE as error:
        print(f"bench could not be run: {error} (logs: {LOGS})", file=sys.stderr)
        return 2
    except Ended as ended:
        print(f"ended by {ended}", file=sys.stderr)
        return ended.exit_code
    except Exception:  # noqa: BLE001 -- 1 is for missed gates, and nothing else
        traceback.print_exc()
        return 2
    results = RESULTS if options.whole and len(groups) == len(GROUPS) else PART_OF_RESULTS
    report.write(rows, results)
    FACTS.write_text(json.dumps(facts, indent=2) + "\n")
    print(f"\n{report.table(rows)}\n\n{results} written after {time.monotonic() - began:.0f} s")
    sys.stdout.flush()
    if late := missed(rows):
        print(f"gate missed: {', '.join(row.name for row in late)}", file=sys.stderr)
        return 1
    return 0


def refuse_forgetful(postgres_settings: Mapping[str, str]) -> None:
    """Raises DevstackError for a server that forgets what it confirmed: it is fast by that."""
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        if postgres_settings[name] == "off":
            raise DevstackError(f"Postgres runs with {name}=off: its figures would say nothing")


def choose(options: Options) -> list[Group]:
    """Those that were asked for; of all, those whose servers can be had, and the others are named.

    Raises ServerMissingError where one was asked for by its name.
    """
    chosen = []
    for group in GROUPS:
        if options.only and group.name not in options.only:
            continue
        try:
            group.prepare()
        except ServerMissingError as error:
            if options.only:
                raise
            print(f"left out: {group.name}. {error}")
        else:
            chosen.append(group)
    return chosen


def measure(rig: Rig, chosen: Sequence[Group], options: Options) -> list[Row]:
    """All rows; a group with a missed gate is measured once more, longer, before it counts as missed."""
    by_group = _run(rig, chosen, options)
    again = [group for group in chosen if missed(by_group[group.name])]
    if again and options.rounds > 1:
        print(f"gate missed, {RETRY_ROUNDS} rounds more: {', '.join(group.name for group in again)}")
        by_group |= _run(rig, again, Options(options.only, RETRY_ROUNDS, options.scale))
    return [row for group in chosen for row in by_group[group.name]]


def _run(rig: Rig, groups: Sequence[Group], options: Options) -> dict[str, list[Row]]:
    cases = [case for group in groups for case in group.cases(rig, options.scale)]
    samples = interleaved(cases, options.rounds, lambda line: print(line, flush=True))
    return {group.name: group.rows(samples) for group in groups}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
