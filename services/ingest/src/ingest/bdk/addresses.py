"""The addresses of a connection, with what stands in their placeholders."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from ingest.bdk.setting import CHANGED_SINCE, LEAD_ID, PAGE, PAGE_SIZE, PARTNER_NUMBER, BdkConnection

LONGEST_LEAD_ID_CHARS = 200


def usable(lead_id: str) -> bool:
    """Whether a lead can be asked for by it: dots alone would name another resource."""
    return 0 < len(lead_id) <= LONGEST_LEAD_ID_CHARS and lead_id.strip(".") != "" and lead_id.isprintable()


def of_lead(connection: BdkConnection, lead_id: str) -> str:
    return _below(connection, connection.lead_path.format(**{LEAD_ID: quote(lead_id, safe="")}))


def of_page(connection: BdkConnection, partner_number: str, changed_since: datetime, page: int) -> str:
    """Pages count from 0; ``changed_since`` to the second, in UTC."""
    since = changed_since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    listed = connection.reconciliation
    values = {
        PARTNER_NUMBER: quote(partner_number, safe=""),
        CHANGED_SINCE: quote(since, safe=""),
        PAGE: page,
        PAGE_SIZE: listed.page_size,
    }
    return _below(connection, listed.path.format(**values))


def _below(connection: BdkConnection, path: str) -> str:
    return connection.base_url.rstrip("/") + path
