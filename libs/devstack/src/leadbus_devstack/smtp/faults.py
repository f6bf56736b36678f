"""How the server misbehaves: set by tests through the control port."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Faults(BaseModel):
    """Everything off by default. Replies are whole SMTP reply lines, such as `"450 4.2.1 busy"`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    refuse: bool = Field(False, description="Nothing listens: connections are refused.")
    banner: str | None = Field(None, description="Said in place of the greeting, then the connection ends.")
    ehlo: str | None = Field(None, description="Reply to EHLO and HELO.")
    mail: str | None = Field(None, description="Reply to MAIL FROM.")
    rcpt: dict[str, str] = Field(
        {}, description='Reply to RCPT TO by address; "*" stands for every other one.'
    )
    data: str | None = Field(None, description="Reply after the final dot; the mail is not stored.")
    drop_after_data: bool = Field(
        False, description="The connection ends at the DATA command, before the text."
    )
    hang_after_data: Literal[False, "stored", "unstored"] = Field(
        False, description="No reply after the final dot; the mail is stored or not."
    )
    drop_after_dot: Literal[False, "stored", "unstored"] = Field(
        False, description="The connection ends after the final dot, without a reply."
    )
    delay_seconds: float = Field(0.0, ge=0, description="Waited before the reply to every command.")
    times: int | None = Field(
        None, ge=1, description="How often a fault shows before all are off; None: for good."
    )
