"""Precisions of a run beside those of the compiler: narrow formats of what is multiplied."""

from __future__ import annotations

from typing import NamedTuple


class Narrow(NamedTuple):
    """Formats of what products read and are sent back, and the precision of all around them."""

    forward: str
    backward: str
    around: str


NARROW_PRECISIONS = {
    "cfloat8": Narrow("CF8_143", "CF8_152", "bf16"),
    "cfloat16": Narrow("CF16_SHP", "CF16_SHP", "fp32"),
}
"""BF16 holds every value of the 8-bit formats, but only 8 of the 11 digits of the 16-bit one."""
