"""How far modelled exchange times may be off, from the flow model's errors on BookSim2's tables.

`calibration.toml` is written by `python -m bench mesh --calibrate`; a test makes it again.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).parent / "calibration.toml"


@lru_cache(maxsize=1)
def bands() -> dict[str, float]:
    """Largest |measured - predicted| / predicted over the table's rows of each kind."""
    tree = tomllib.loads(FILE.read_text())
    return {name: float(row["band"]) for name, row in tree.items()}


def kind(pace: float, lock_step: bool) -> str:
    """The rows of the table that a list is like: sources that keep a pace or do not (0), or go
    through their destinations in step."""
    return "lock_step" if lock_step else "paced" if pace >= 1 else "unpaced"


def band(exchanges: list[tuple[str, float]]) -> float:
    """Relative uncertainty of the cycles of all exchanges together, each of a kind: the mean of
    their bands by cycles; that of paced ones where there are none."""
    total = sum(cycles for _, cycles in exchanges)
    if not total:
        return bands()["paced"]
    return sum(bands()[name] * cycles for name, cycles in exchanges) / total
