"""Events about connections to partners that leads are fetched from. No personal data, no secrets."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from leadbus.contracts.wire import Text, WireModel


class ConnectionEvent(WireModel):
    """An account of ours with a partner."""

    service: Text
    """Service that asks the partner, such as ``ingest``."""
    connection: Text
    """Kind and name of the setting: ``BdkConnection/bank``."""
    reasons: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Why a person is, or was, needed, as codes: ``login_refused``, ``forbidden``."""
    since: AwareDatetime
    """When it was found out."""


class ConnectionNeedsPerson(ConnectionEvent):
    """It refuses us all or some of its leads until a person mends something; it is asked again now and then.

    Told again when there is one more reason.
    """


class ConnectionMended(ConnectionEvent):
    """Nobody is needed any more: it answers again, or was switched off or deleted."""

    mended_at: AwareDatetime
    """When that was found out."""
