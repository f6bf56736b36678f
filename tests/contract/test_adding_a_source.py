"""The guide "Adding a source" in CONTRIBUTING.md, followed in a copy of the code: what it lists is enough."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = Path(__file__).parent / "added_source"
COMMON = "libs/common/src/leadbus"
NORMALIZER = "services/normalizer/src/normalizer"

NEW_FILES = {
    f"{COMMON}/contracts/carlot.py": SAMPLE / "contract.py",
    f"{NORMALIZER}/sources/carlot.py": SAMPLE / "adapter.py",
}
_CAO_LINE = '    "contactatonce": contactatonce.read,\n'
# In each: what stands there, and what stands there once the source is added.
NEW_LINES = {
    f"{COMMON}/contracts/vocabulary.py": [('"adf", "dms"]', '"adf", "dms", "carlot"]')],
    f"{COMMON}/contracts/publishing/raw_payloads.py": [
        (
            "from leadbus.contracts.contactatonce import",
            "from leadbus.contracts.carlot import CARLOT, CarLotLead\n"
            "from leadbus.contracts.contactatonce import",
        ),
        (
            '        "dms": RawPayload(',
            '        "carlot": RawPayload(\n'
            '            "One enquiry.", _JSON, models={"raw.carlot.v1": CarLotLead}, examples=CARLOT\n'
            "        ),\n"
            '        "dms": RawPayload(',
        ),
    ],
    f"{NORMALIZER}/sources/__init__.py": [
        (
            "import adf, alfatrack, bdk_inbound, contactatonce",
            "import adf, alfatrack, bdk_inbound, carlot, contactatonce",
        ),
        (
            '    "contactatonce": contactatonce.read,',
            '    "carlot": carlot.read,\n    "contactatonce": contactatonce.read,',
        ),
    ],
}
READ = """
import json, sys
from datetime import UTC, datetime
from leadbus.contracts.carlot import CARLOT
from leadbus.contracts.lead import Dealer
from leadbus.envelope import Envelope
from leadbus.messages import IncomingMessage, raw_message
from leadbus.topology.declaration import TOPOLOGY
from normalizer.domain.revisions import Reading
from normalizer.parting import parted
from normalizer.reading import read_raw, reading_of
from normalizer.receiving import Limits, receive

now = datetime(2026, 4, 14, 12, tzinfo=UTC)
body = json.dumps(CARLOT["Enquiry"]).encode()
sent = raw_message("carlot", Envelope(
    id="1", source="/carlot", type="raw.carlot.v1", time=now, datacontenttype="application/json",
    extensions={"account": "main"}, data=body))
came = IncomingMessage(
    body=sent.body, exchange=sent.exchange, routing_key=sent.routing_key, headers=sent.headers,
    properties=sent.properties, redelivered=False, delivery_count=0, delivery_tag=1)
(raw,) = parted(receive(came, Limits(1_000_000), now))
read = read_raw(raw)
reading = reading_of(read, {read.place: Dealer(dealer_id="d", name="D")})
assert isinstance(reading, Reading), reading
bound = [one.queue for one in TOPOLOGY.bindings if one.routing_key == "raw.carlot"]
print(json.dumps({"lead": reading.lead.wire(), "bound": bound}))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages that the guide touches, with the source added."""
    root = tmp_path_factory.mktemp("added")
    for package in (COMMON, NORMALIZER):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for place, file in NEW_FILES.items():
        shutil.copy(file, root / place)
    for place, changes in NEW_LINES.items():
        text = (root / place).read_text()
        for before, after in changes:
            assert text.count(before) == 1, f"{place} says no more: {before}"
            text = text.replace(before, after)
        (root / place).write_text(text)
    return root


def run(copy: Path, *words: str) -> str:
    paths = os.pathsep.join(str((copy / package).parent) for package in (COMMON, NORMALIZER))
    command = [sys.executable, *words]
    done = subprocess.run(
        command,
        cwd=copy,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_messages_become_leads(copy: Path) -> None:
    told: Any = json.loads(run(copy, "-c", READ))
    assert told["bound"] == ["normalizer.raw"]
    lead = told["lead"]
    assert (lead["source"], lead["customer"]["name"]["last"]) == ("carlot", "van den Berg")
    assert lead["extras"] == {"utm": "spring"}


def test_its_contract_is_published_with_an_example(copy: Path) -> None:
    run(copy, "-m", "leadbus.contracts", "generate", "--folder", "published")
    published = copy / "published"
    assert "raw.carlot" in (published / "asyncapi.yaml").read_text()
    assert (published / "schemas" / "raw.carlot.v1.json").exists()
    assert (published / "examples" / "raw.carlot.Enquiry.json").exists()


def test_the_guide_names_every_file_that_was_touched() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text().partition("## Adding a source")[2].partition("\n## ")[0]
    for place in (*NEW_FILES, *NEW_LINES):
        assert place.replace("carlot.py", "<name>.py") in guide
