"""A route is tried out against the real services: its mail seen, a test lead sent, and what is said to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leadbus_devstack.stack import Stack

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
ROUTE = """
kind: Dealer
metadata: {name: tried-motors}
spec: {name: Tried Motors, country: US}
---
kind: AdfRoute
metadata: {name: tried}
spec: {dealer: tried-motors, address: tried@prairie.example, send_test_leads: true}
"""


def test_from_a_document_to_an_answered_test_lead(cli: Any, stack: Stack, tmp_path: Path) -> None:
    file, out = tmp_path / "route.yaml", tmp_path / "mail.eml"
    file.write_text(ROUTE)
    shown = cli("adf", "preview", "--file", str(file), "--out", str(out))
    assert (shown.code, shown.err) == (0, "")
    assert "would be sent to tried@prairie.example as new" in shown.out
    assert b"To: tried@prairie.example" in out.read_bytes()

    nowhere = cli("adf", "test", "tried")
    assert (nowhere.code, "there is no such route" in nowhere.err) == (1, True)
    assert cli("apply", "-f", str(EXAMPLES)).code == 0
    assert cli("apply", "-f", str(file)).code == 0
    sent = cli("adf", "test", "tried", "--vehicle", "used")
    assert (sent.code, sent.err) == (0, "")
    assert "try 1: delivered: 250" in sent.out
    (mail,) = [one for one in stack.smtp.messages() if b"To: tried@prairie.example" in one.content]
    assert b"Subject: [TEST]" in mail.content

    lead_id = next(line.split()[2] for line in sent.out.splitlines() if line.startswith("test lead "))
    again = cli("adf", "preview", lead_id, "--route", "tried", "--json")
    assert again.json["decisions"] == [
        {
            "action": "deliver",
            "status": "resend",
            "recipient": again.json["recipient"]["address"],
            "reason": None,
        }
    ]
    assert cli("adf", "silence", "--json").json == {"items": []}
