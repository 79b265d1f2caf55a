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


def band(pace: float) -> float:
    """Relative uncertainty of an exchange's cycles when sources keep a pace (0: they do not)."""
    return bands()["paced" if pace >= 1 else "unpaced"]
