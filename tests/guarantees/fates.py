"""What becomes of a lead, and of which lead what: known from its number before it is sent."""

from __future__ import annotations

from enum import StrEnum

DELIVERED_DEALERS = ("1001", "1002")
UNROUTED_DEALER = "1003"
"""Known, but nobody has said where its leads go."""
REFUSED_DEALER = "1004"
"""Its address is refused by the mail server."""
UNMAPPED_DEALER = "9999"
"""Nobody has said whose id this is."""

REFUSED_ADDRESS = f"leads@dealer-{REFUSED_DEALER}.example"
REFUSAL = "550 5.1.1 no such mailbox"


class Fate(StrEnum):
    """What may become of a lead at a sink."""

    DELIVERED = "delivered"
    PENDING = "pending"
    FAILED = "failed"
    SKIPPED = "skipped"
    QUARANTINED = "quarantined"
    ERASED = "erased"


_OTHERS = {7: UNROUTED_DEALER, 8: REFUSED_DEALER, 9: UNMAPPED_DEALER}
_FATES = {
    UNROUTED_DEALER: Fate.SKIPPED,
    REFUSED_DEALER: Fate.FAILED,
    UNMAPPED_DEALER: Fate.QUARANTINED,
}


def dealer_of(number: int, *, varied: bool) -> str:
    """Whose lead the stream's `number` is; `varied`: three of ten do not end as a mail."""
    # Pairs, because even numbers come by HTTP and odd ones through the queue.
    return (_OTHERS if varied else {}).get(
        number // 2 % 10, DELIVERED_DEALERS[number % len(DELIVERED_DEALERS)]
    )


def fate_of(number: int, *, varied: bool) -> Fate:
    """What has to become of it in the end."""
    return _FATES.get(dealer_of(number, varied=varied), Fate.DELIVERED)
