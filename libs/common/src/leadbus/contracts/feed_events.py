"""Events about vehicle feeds: one snapshot is one complete file, cut into numbered chunks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from leadbus.contracts.vehicle import Odometer, Price
from leadbus.contracts.wire import Code, Text, WireModel

FEED_ROWS_MAX = 500
"""Most rows in one ``vehicle_feed.rows`` event."""


class FeedRow(WireModel):
    """One vehicle in one dealer's stock, as the file has it."""

    row: Annotated[int, Field(ge=1)]
    """Number of the data row in the file, from 1."""
    dealer: Code
    """The dealer management system's id of the dealer."""
    vin: Annotated[Text, Field(min_length=1)]
    """Vehicle identification number: upper case, without blanks and hyphens."""
    stock: Text | None = None
    """Stock number; absent when blank, a placeholder or advert text."""
    code: Text | None = None
    """The system's type code, such as ``N``, ``U``, ``NR``."""
    removed: bool = False
    """The file itself says that the vehicle is sold or gone."""
    year: Code | None = None
    """Model year as text."""
    make: Text | None = None
    """Manufacturer."""
    model: Text | None = None
    """Model."""
    trim: Text | None = None
    """Trim level."""
    body: Text | None = None
    """Body style."""
    exterior_colour: Text | None = None
    """Body colour."""
    odometer: Odometer | None = None
    """Reading."""
    prices: tuple[Price, ...] = ()
    """Prices in the file."""
    in_stock_since: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    """First day in stock, ``YYYY-MM-DD``."""
    warnings: tuple[Text, ...] = ()
    """Codes of what was read with doubt, such as ``vin_check_digit``."""
    extras: Annotated[dict[Text, Text], Field(default_factory=dict)]
    """Columns that have no field here."""


class FeedIdentity(WireModel):
    """Which snapshot of which feed."""

    snapshot_id: Annotated[Text, Field(min_length=1)]
    """Id of the accepted file, given by ingest."""
    account: Text
    """Name of the ``FeedSource`` setting."""
    received_at: AwareDatetime
    """When the file arrived: the trusted clock of every rule."""
    file_at: AwareDatetime | None = None
    """The file's own stamp; used for order only."""


class VehicleFeedRows(WireModel):
    """A numbered part of a snapshot. Nothing may be concluded from it before ``vehicle_feed.completed``."""

    feed: FeedIdentity
    """The snapshot."""
    chunk: Annotated[int, Field(ge=1)]
    """Number of this part, from 1."""
    rows: Annotated[tuple[FeedRow, ...], Field(max_length=FEED_ROWS_MAX)]
    """The rows, in file order."""


class FeedReject(WireModel):
    """A row that could not be used."""

    row: Annotated[int, Field(ge=1)]
    """Number of the data row in the file, from 1."""
    code: Text
    """Why, such as ``vin_missing`` or ``vin_invalid``."""
    field: Text | None = None
    """Column at fault."""
    vin: Text | None = None
    """What stood for the VIN: a vehicle in a broken row still counts as present."""


class FeedDealer(WireModel):
    """What a snapshot holds of one dealer."""

    dealer: Code
    """The dealer management system's id of the dealer."""
    rows: Annotated[int, Field(ge=0)]
    """Usable rows."""
    rejects: tuple[FeedReject, ...] = ()
    """Unusable rows."""


class VehicleFeedCompleted(WireModel):
    """All parts of a snapshot are on their way; with them it may be reconciled."""

    feed: FeedIdentity
    """The snapshot."""
    chunks: Annotated[int, Field(ge=1)]
    """How many ``vehicle_feed.rows`` belong to it."""
    rows: Annotated[int, Field(ge=1)]
    """Usable rows in all of them."""
    dealers: tuple[FeedDealer, ...]
    """Per dealer."""
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the file: equal digests are the same content delivered again."""


class VehicleFeedRejected(WireModel):
    """A file was refused whole; nothing changes."""

    feed: FeedIdentity
    """The snapshot."""
    gate: Literal[
        "unreadable", "no_vin_column", "truncated", "empty_feed", "too_many_bad_rows", "out_of_order"
    ]
    """Which check refused it."""
    reason: Text
    """For people."""
