"""What a started service is made of: put out of the collector's sight, and into few large pages.

A lead alone finds cold caches at each of its steps, those of addresses too: a seventh of the CPU it costs.
Why: docs/adr/0115-a-started-service-lies-in-large-pages.md.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from pathlib import Path

LARGE_PAGE_BYTES = 2 * 1024 * 1024
"""Of x86-64 and, with pages of 4 KiB, of ARM; where they are larger the kernel declines."""
OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Python's own 700 are a handful of leads."""
_MADV_COLLAPSE = 25
"""Linux 6.1; older kernels answer that they do not know it."""


def settle() -> int:
    """To be called once all is imported and built; returns how many large pages the process now has of it.

    What was imported and built lives as long as the process: no collection need look at it again. And what a
    batch is made of is let go by reference counts; looking for cycles in it finds none.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])
    return gather() if sys.platform == "linux" else 0


def gather() -> int:
    """Have the kernel copy heap and code into large pages where they fill them; how many it did.

    It costs milliseconds, and memory only where a page had holes. Nothing depends on it: a kernel that
    cannot, or has no large page left, says so and leaves all as it was.
    """
    try:
        madvise = ctypes.CDLL(None).madvise
        maps = Path("/proc/self/maps").read_text()
    except (OSError, AttributeError, UnicodeDecodeError):
        return 0
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return sum(madvise(page, LARGE_PAGE_BYTES, _MADV_COLLAPSE) == 0 for page in large_pages(maps))


def large_pages(maps: str) -> Iterator[int]:
    """Addresses of what could be a large page: heap or code throughout. `maps` is that of proc(5)."""
    for line in maps.splitlines():
        addresses, access, _, _, _, *name = line.split(maxsplit=5)
        start, end = (int(address, 16) for address in addresses.split("-"))
        heap = access.startswith("rw") and (not name or name[0] == "[heap]")
        code = "x" in access and bool(name) and name[0].startswith("/")
        if heap or code:
            first = -(-start // LARGE_PAGE_BYTES) * LARGE_PAGE_BYTES
            yield from range(first, end - LARGE_PAGE_BYTES + 1, LARGE_PAGE_BYTES)
