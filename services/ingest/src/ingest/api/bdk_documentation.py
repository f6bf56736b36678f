"""What the OpenAPI document says of the BDK's way in beyond types."""

from __future__ import annotations

from typing import Any

from leadbus.contracts.examples.bdk import BDK

NOTIFICATION = """\
*Thin* (`leadId` and what else is known) or *fat* (the whole lead, as a GET of it would tell). Answered **202
only when it is committed**: a fat one is a raw message then, for a thin one the lead is fetched, and tried
again until it can be read. The same notification again is harmless. What a header named by the connection's
setting holds proves the sender: the secret, or the HMAC-SHA256 of the body under it.

Checked in this order: `Content-Type` (415), size (413), time (408), proof (401), that the connection is on
(403), that the body names a lead (400, 422). Of a sender who proved itself the body is kept whatever it says.
"""
CONNECTIONS = """\
`needs_person` says why nobody but a person can go on: `login_refused` and `secret_unreadable` stop the whole
connection (it is tried every quarter of an hour), `forbidden` holds the leads and lists that the bank does
not show. Empty where all is well. It ends when the setting is changed, by `resume`, or when what was refused
succeeds.
"""
RESUME = "Tries everything at once that waits, as if nothing had happened; audited."
RECONCILE = "Lists what changed since the last time, or since an earlier moment; audited."
READS = "Newest word first. Holds no lead: what was fetched is a raw message (`raw_id`)."
RETRY = "At once, whatever became of it; audited. The same bytes again make no second message."
DISCARD = "For leads that the bank will never show. Told of again, it is due again. Audited."

TAKEN: dict[str, Any] = {"description": "Taken and stored, or taken before (`repeated`)."}
NOTIFICATION_EXTRA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "JSON, not compressed. `bdkLeadTypeId` is read in both spellings.",
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": ["leadId"]},
                "examples": {name: {"summary": name, "value": value} for name, value in BDK.items()},
            }
        },
    }
}
