"""A lead with less to read in it: the transcript first, then free texts; what is left out is said.

Of a transcript the beginning and the end stay, because a salesperson needs to know what somebody wants and
what was agreed; whole lines leave its middle. Never cut: contact data, vehicle, ids, links.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

from leadbus.contracts.conversation import TranscriptLine
from leadbus.contracts.lead import Lead
from leadbus.contracts.vehicle import Vehicle

Cut = Literal["transcript_cut", "text_cut"]

_TIME_BYTES = len("[2026-04-14 11:00:12] ")
_NAME_BYTES = len(" ()")
_LINE_BYTES = len(": ") + len("\r\n")
_INDENT_BYTES = len("  ")
_LEAST_PART_BYTES = 1000
_LINK = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]{0,20}+://|(?<!\w)www\.)\S++")


@dataclass(frozen=True, slots=True)
class Shortened:
    """`exhausted` where nothing is left that may be cut."""

    lead: Lead
    cuts: tuple[Cut, ...]
    exhausted: bool


def shortened(lead: Lead, saving_bytes: int, link: str | None) -> Shortened:
    """`lead` with at least about `saving_bytes` less in the document, by as much as there is to cut.

    `link` is where the whole can be read; without one the marks name the lead.
    """
    where = f"see {link} for the whole" if link else f"lead {lead.lead_id} has the whole"
    transcript, saved = _shorter_transcript(lead.transcript, saving_bytes, where)
    cuts: tuple[Cut, ...] = ()
    if saved:
        lead = lead.model_copy(update={"transcript": transcript})
        cuts = ("transcript_cut",)
    if saved >= saving_bytes:
        return Shortened(lead, cuts, exhausted=False)
    lead, further = _shorter_texts(lead, saving_bytes - saved, where)
    if further:
        cuts = (*cuts, "text_cut")
    return Shortened(lead, cuts, exhausted=saved + further < saving_bytes)


def lines_mark(missing: int, lines: int, where: str) -> str:
    """What stands in a transcript in place of lines."""
    return f"[{missing} of {lines} lines are left out here; {where}]"


def text_mark(missing: int, where: str) -> str:
    """What stands at the end of a text that goes on."""
    return f"[{missing} more characters are left out; {where}]"


def _bytes(text: str) -> int:
    """What `text` takes in an element: ASCII with references, a line end two bytes as in a mail."""
    return len(escape(text).encode("ascii", "xmlcharrefreplace")) + text.count("\n")


def _shorter_transcript(
    lines: Sequence[TranscriptLine], saving_bytes: int, where: str
) -> tuple[tuple[TranscriptLine, ...], int]:
    """Lines from both ends in turn as far as there is room, and what that saves; 0 where it saves nothing."""
    costs = [_line_bytes(line) for line in lines]
    room = sum(costs) - _line_bytes(_mark_line(len(lines), len(lines), where)) - saving_bytes
    head, tail = _ends(costs, room)
    kept_head, kept_tail = list(lines[:head]), list(lines[len(lines) - tail :])
    if lines and head == 0 and room >= _LEAST_PART_BYTES:
        # One line that would take all the room, as the transcript of a call can be: its beginning.
        kept_head = [_shorter_line(lines[0], room // 2, where)]
    missing = len(lines) - len(kept_head) - tail
    mark = [_mark_line(missing, len(lines), where)] if missing else []
    kept = (*kept_head, *mark, *kept_tail)
    saved = sum(costs) - sum(map(_line_bytes, kept))
    return (kept, saved) if saved > 0 else (tuple(lines), 0)


def _mark_line(missing: int, lines: int, where: str) -> TranscriptLine:
    return TranscriptLine(speaker="system", text=lines_mark(missing, lines, where))


def _line_bytes(line: TranscriptLine) -> int:
    """As the comments show it; a line end within it is indented."""
    time = _TIME_BYTES if line.at else 0
    name = _bytes(line.name) + _NAME_BYTES if line.name else 0
    indented = line.text.count("\n") * _INDENT_BYTES
    return time + len(line.speaker) + name + _LINE_BYTES + _bytes(line.text) + indented


def _shorter_line(line: TranscriptLine, room_bytes: int, where: str) -> TranscriptLine:
    spoken_bytes = room_bytes - _line_bytes(line.model_copy(update={"text": ""}))
    text = _shorter_text(line.text, spoken_bytes - _bytes(text_mark(len(line.text), where)), where)
    return line.model_copy(update={"text": text})


def _ends(costs: Sequence[int], room: int) -> tuple[int, int]:
    """How many lines stay at the beginning and at the end; neither end takes what the other one needs."""
    head = tail = head_bytes = tail_bytes = 0
    while head + tail < len(costs):
        at_head = head_bytes + costs[head] <= room / 2
        at_tail = tail_bytes + costs[-1 - tail] <= room / 2
        if at_head and (head_bytes <= tail_bytes or not at_tail):
            head_bytes += costs[head]
            head += 1
        elif at_tail:
            tail_bytes += costs[-1 - tail]
            tail += 1
        else:
            break
    return head, tail


def _shorter_texts(lead: Lead, saving_bytes: int, where: str) -> tuple[Lead, int]:
    """Every free text to the same length at most, so that the longest pay first; and what that saves."""
    texts = [lead.message or "", lead.subject or "", *(vehicle.comments or "" for vehicle in lead.vehicles)]
    sizes = [_bytes(text) for text in texts]
    mark_bytes = _bytes(text_mark(max(map(len, texts)), where)) + 2
    limit = _level(sizes, sum(sizes) - saving_bytes, mark_bytes)
    short = [
        _shorter_text(text, max(0, limit - mark_bytes), where) if size > max(limit, mark_bytes) else text
        for text, size in zip(texts, sizes, strict=True)
    ]
    saved = sum(sizes) - sum(map(_bytes, short))
    if saved <= 0:
        return lead, 0
    vehicles = tuple(map(_with_comments, lead.vehicles, short[2:]))
    changes = {"message": short[0] or None, "subject": short[1] or None, "vehicles": vehicles}
    return lead.model_copy(update=changes), saved


def _with_comments(vehicle: Vehicle, comments: str) -> Vehicle:
    if comments == (vehicle.comments or ""):
        return vehicle
    return vehicle.model_copy(update={"comments": comments})


def _level(sizes: Sequence[int], room: int, least: int) -> int:
    """The largest length for which all texts, cut to it, fit into `room`; at least `least`."""
    ordered = sorted(sizes)
    for index, size in enumerate(ordered):
        share = room // (len(ordered) - index)
        if size > share:
            return max(share, least)
        room -= size
    return max(ordered, default=least)


def _shorter_text(text: str, limit_bytes: int, where: str) -> str:
    """The beginning of `text` in `limit_bytes`, up to a blank where there is one near, and a mark.

    A link at the end of the room is left out, not cut.
    """
    kept = text[: _longest(len(text), lambda length: _bytes(text[:length]) <= limit_bytes)]
    cut_link = next((one for one in _LINK.finditer(text) if one.start() < len(kept) < one.end()), None)
    if cut_link:
        kept = text[: cut_link.start()]
    elif (blank := max(kept.rfind(" "), kept.rfind("\n"))) > len(kept) * 3 // 4:
        kept = kept[:blank]
    kept = kept.rstrip()
    return f"{kept}\n{text_mark(len(text) - len(kept), where)}".strip()


def _longest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to `most` that fits, where every smaller one does."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
