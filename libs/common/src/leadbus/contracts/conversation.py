"""What was said: a chat's transcript, a call."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from leadbus.contracts.vocabulary import Speaker
from leadbus.contracts.wire import Text, WireModel


class TranscriptLine(WireModel):
    """One line of a conversation, in the order spoken."""

    at: AwareDatetime | None = None
    """When it was said."""
    speaker: Speaker
    """Whose side said it."""
    name: Text | None = None
    """The speaker's name."""
    text: Text
    """What was said, as plain text."""


class Call(WireModel):
    """A phone call."""

    recording_url: Text | None = None
    """Where the audio can be heard."""
    started_at: AwareDatetime | None = None
    """When the phone rang."""
    duration_seconds: Annotated[int, Field(ge=0)] | None = None
    """Length in seconds."""
    tracking_number: Text | None = None
    """The number that was dialled."""
    answered: bool | None = None
    """Whether somebody picked up."""
