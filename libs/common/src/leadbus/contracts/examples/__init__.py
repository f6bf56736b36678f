"""One realistic example per contract: published with it, and the first thing its tests read."""

from leadbus.contracts.examples.contactatonce import CONTACTATONCE, CONTACTATONCE_XML
from leadbus.contracts.examples.events import EVENT_EXAMPLES

__all__ = ["CONTACTATONCE", "CONTACTATONCE_XML", "EVENT_EXAMPLES"]
