"""What comes back: `intake` takes it from mail servers, `settling` makes of it what it means for deliveries.

What a bounce says and means is decided in `domain.bounces`. Why like this: docs/adr/0139, 0140.
"""
