"""What a body of the bank says, as far as ingest has to know: which lead, and whether it is that lead."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from leadbus.contracts import json_text
from leadbus.contracts.bdk import BdkNotification
from leadbus.contracts.bdk_reading import read_lead, read_notification
from pydantic import ValidationError

from ingest.bdk import addresses

_BOM = b"\xef\xbb\xbf"
_LISTS = ("leads", "items", "content", "data")


@dataclass(frozen=True, slots=True)
class Told:
    """One lead as a body tells of it. ``whole``: the body is the lead itself, not only word of it."""

    lead_id: str
    partner_number: str | None
    test: bool
    whole: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One lead of a list. ``digest`` changes when anything that the list says of it does."""

    lead_id: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; ``unreadable`` counts entries without a lead id that could be asked for."""

    entries: Sequence[Entry]
    unreadable: int
    last: bool


class UnreadableContentError(Exception):
    """The body does not say what it should; the text says how, and repeats nothing of it."""


def told(body: bytes) -> Told:
    """The lead that a notification or an answer is about; raises UnreadableContentError."""
    plain = json_text.without_half_pairs(body.removeprefix(_BOM))
    try:
        notice = read_notification(plain).payload
    except (ValidationError, RecursionError):
        raise UnreadableContentError("no JSON object with a leadId") from None
    lead_id = _lead_id(notice)
    if not addresses.usable(lead_id):
        raise UnreadableContentError("the leadId cannot be asked for")
    return Told(lead_id, notice.partner_number, _is_test(notice), notice.fat and _is_lead(plain))


def identity(lead_id: str, body: bytes) -> str:
    """What an arrival is known by: the lead and what is said of it, however the JSON is written."""
    return f"{lead_id} {digest(body).hex()}"


def digest(body: bytes) -> bytes:
    """SHA-256 of the JSON in ``body`` without its blanks and the order of its names; else of the bytes."""
    try:
        value = json.loads(
            body.removeprefix(_BOM), parse_int=_written, parse_float=_written, parse_constant=_written
        )
        return _digest(value)
    except (ValueError, RecursionError):
        return hashlib.sha256(body).digest()


def page(body: bytes) -> Page:
    """A page as a list, or as an object that holds one; raises UnreadableContentError.

    An entry is an object with a ``leadId``, or the id itself. An object may say ``last: true``, or
    ``hasMore: false``.
    """
    try:
        value = json.loads(body.removeprefix(_BOM))
    except (ValueError, RecursionError):
        raise UnreadableContentError("the list is no JSON") from None
    found = _list_in(value)
    if found is None:
        raise UnreadableContentError(f"neither a list nor an object with one of {', '.join(_LISTS)}")
    entries = tuple(_entries(found))
    last = isinstance(value, dict) and (value.get("last") is True or value.get("hasMore") is False)
    return Page(entries, len(found) - len(entries), last)


def _entries(found: Sequence[Any]) -> Iterator[Entry]:
    for one in found:
        lead_id = _id_of(one)
        if lead_id is not None and addresses.usable(lead_id):
            yield Entry(lead_id, _digest(one))


def _id_of(entry: Any) -> str | None:
    if isinstance(entry, str | int) and not isinstance(entry, bool):
        return str(entry).strip()
    try:
        return _lead_id(read_notification(json.dumps(entry).encode()).payload)
    except (ValidationError, RecursionError):
        return None


def _list_in(value: Any) -> Sequence[Any] | None:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
    return None


def _lead_id(notice: BdkNotification) -> str:
    return " ".join(notice.lead_id.split())


def _is_test(notice: BdkNotification) -> bool:
    return (notice.model_extra or {}).get("test") is True


def _is_lead(plain: bytes) -> bool:
    try:
        read_lead(plain)
    except ValidationError:
        return False
    return True


def _digest(value: Any) -> bytes:
    plain = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).digest()


def _written(figure: str) -> dict[str, str]:
    """As written: told apart from text, and however long."""
    return {"#": figure}
