"""Confirmed publishing over a connection of its own."""

from leadbus.publisher.publisher import Publisher, PublishError
from leadbus.publisher.result import PublishResult

__all__ = ["PublishError", "PublishResult", "Publisher"]
