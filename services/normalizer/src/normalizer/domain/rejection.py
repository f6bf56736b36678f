"""Why a raw message could not become a lead."""

from __future__ import annotations

from leadbus.contracts.vocabulary import QuarantineReason


class Rejection(Exception):  # noqa: N818 -- it is a verdict, and the only one an adapter may raise
    """A verdict on one raw message; none of its words comes from the message.

    `field` is a path of contract names (`*` stands for a name that the sender chose), `kind` the
    kind of value found there (`string`, `missing`, …), `detail` what is the matter with it.
    """

    def __init__(
        self, reason: QuarantineReason, detail: str, *, field: str | None = None, kind: str | None = None
    ) -> None:
        super().__init__(f"{reason}: {field or 'message'}: {detail}")
        self.reason: QuarantineReason = reason
        self.detail = detail
        self.field = field
        self.kind = kind
