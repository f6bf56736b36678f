"""The commands that our packages install are ours alone."""

from __future__ import annotations

from collections import defaultdict
from importlib.metadata import distributions


def test_no_other_package_installs_a_command_of_the_same_name() -> None:
    """Whichever is installed last wins: `normalizer` was charset-normalizer's on some machines."""
    owners = defaultdict(set)
    for distribution in distributions():
        for entry in distribution.entry_points.select(group="console_scripts"):
            owners[entry.name].add(distribution.name)
    assert {"leadbus"} <= owners.keys()
    shared = {name: names for name, names in owners.items() if len(names) > 1}
    assert shared == {}
