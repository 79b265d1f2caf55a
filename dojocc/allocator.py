"""Keep freed memory for the next array: for our own processes (command line, bench), not libraries.

glibc gives large arrays fresh pages each time, and clearing those took about a tenth of a run.
"""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # glibc's mallopt, malloc.h
LARGEST_THRESHOLD = 32 << 20  # glibc refuses more
KEPT = 1 << 30


def keep_freed_memory() -> bool:
    """Ask the C library to reuse freed memory; False where it has no such setting."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    settings = ((MMAP_THRESHOLD, LARGEST_THRESHOLD), (TRIM_THRESHOLD, KEPT), (TOP_PAD, KEPT >> 2))
    return all([mallopt(name, value) == 1 for name, value in settings])
