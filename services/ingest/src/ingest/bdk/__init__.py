"""BDK Leadservice: it tells us of a lead, we fetch it, and now and then ask what we were not told of.

The way of a lead: `door.py` (a notification) or `reconciling.py` (a list) → a due read → `reading.py` → a raw
message. A notification that is the lead itself goes from the door to the raw message.
"""
