"""A transcript is read as one text: what is asked in one line is answered in the next, or goes on there."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from leadbus.contracts.conversation import TranscriptLine

from adf_mailer.domain import sensitive
from adf_mailer.domain.fixed_texts import Language
from adf_mailer.domain.sensitive import Finding, Kind
from adf_mailer.domain.sensitive_text import readable


def masked_transcript(
    lines: Sequence[TranscriptLine], kinds: Collection[Kind], language: Language
) -> tuple[tuple[TranscriptLine, ...], frozenset[Kind]]:
    """The lines with marks in place of what was found, and what that was.

    What stands on several lines is marked in each of them.
    """
    names = [sensitive.mask(line.name or "", kinds, language) for line in lines]
    written = [readable(line.text) for line in lines]
    findings = sensitive.find("\n".join(written), kinds, language)
    found = frozenset(one.kind for one in findings).union(*(name.kinds for name in names))
    if not found:
        return tuple(lines), found
    changed = []
    start = first = 0
    for line, text, name in zip(lines, written, names, strict=True):
        end = start + len(text)
        while first < len(findings) and findings[first].end <= start:
            first += 1
        words = _marked(text, start, findings, first)
        changes = {"text": line.text if words is text else words}
        changed.append(line.model_copy(update=changes | ({"name": name.text} if name.kinds else {})))
        start = end + 1
    return tuple(changed), found


def _marked(text: str, start: int, findings: Sequence[Finding], first: int) -> str:
    """`text` as it came where none of `findings`, from `first` on, touches it."""
    parts, done = [], 0
    for one in findings[first:]:
        if one.start >= start + len(text):
            break
        parts += [text[done : max(0, one.start - start)], one.mark]
        done = min(len(text), one.end - start)
    return "".join([*parts, text[done:]]) if parts else text
