"""A started service's heap and code go into large pages, where the kernel has some."""

from __future__ import annotations

import subprocess
import sys

import pytest
from leadbus.service.memory import LARGE_PAGE_BYTES, large_pages

HUGE = LARGE_PAGE_BYTES
_GATHER = """
from leadbus.service.memory import gather
kept = [bytes(1000) for _ in range(20_000)]
def large():
    return sum(int(line.split()[1]) for line in open("/proc/self/smaps_rollup") if "HugePages" in line)
before = large()
print(gather(), large() - before, len(kept))
"""


@pytest.mark.parametrize(
    ("line", "pages"),
    [
        (f"{HUGE:x}-{3 * HUGE:x} rw-p 00000000 00:00 0 ", [HUGE, 2 * HUGE]),
        (f"{HUGE:x}-{3 * HUGE:x} rw-p 00000000 00:00 0 [heap]", [HUGE, 2 * HUGE]),
        (f"{HUGE + 1:x}-{3 * HUGE - 1:x} rw-p 00000000 00:00 0 ", []),
        (f"{HUGE + 4096:x}-{3 * HUGE + 4096:x} rw-p 00000000 00:00 0 ", [2 * HUGE]),
        (f"{HUGE:x}-{2 * HUGE:x} r-xp 00001000 fd:00 42 /usr/lib/libpython 3.so", [HUGE]),
        (f"{HUGE:x}-{2 * HUGE:x} rw-p 00001000 fd:00 42 /usr/lib/libpython.so", []),
        (f"{HUGE:x}-{2 * HUGE:x} rw-p 00000000 00:00 0 [stack]", []),
        (f"{HUGE:x}-{2 * HUGE:x} r-xp 00000000 00:00 0 [vdso]", []),
        (f"{HUGE:x}-{2 * HUGE:x} r--p 00000000 00:00 0 ", []),
    ],
)
def test_heap_and_code_that_fill_a_large_page_throughout(line: str, pages: list[int]) -> None:
    assert list(large_pages(line + "\n")) == pages


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")
def test_the_kernel_does_what_it_says() -> None:
    answer = subprocess.run([sys.executable, "-c", _GATHER], capture_output=True, text=True, check=True)
    gathered, more_kib, kept = map(int, answer.stdout.split())
    if not gathered:
        pytest.skip("this kernel has no large pages to give")
    assert more_kib * 1024 >= (gathered - 1) * LARGE_PAGE_BYTES
    assert kept == 20_000
