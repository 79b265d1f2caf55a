"""What the examples share: finding this checkout, comparing, and printing the start of a text."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SMALL = ROOT / "examples" / "small.toml"
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


def relative_error(have: np.ndarray, want: np.ndarray) -> float:
    """L2 norm of the difference over that of what was wanted."""
    want64 = np.asarray(want, np.float64)
    return float(np.linalg.norm(np.asarray(have, np.float64) - want64) / np.linalg.norm(want64))


def check(name: str, have: np.ndarray, want: np.ndarray, allowed: float) -> None:
    """Print the error, and end the program if it is too large."""
    error = relative_error(have, want)
    print(f"{name:<34} relative error {error:.1e}, allowed {allowed:.0e}")
    if not error <= allowed:
        sys.exit(f"{name}: the outputs differ")


def head(title: str, text: str, lines: int = 14) -> None:
    """A title and the first lines of a text, cut to the width of a terminal."""
    print(f"\n== {title}")
    rows = text.splitlines()
    for row in rows[:lines]:
        print("  " + (row if len(row) <= 110 else row[:107] + "..."))
    if len(rows) > lines:
        print(f"  ... {len(rows) - lines} lines more")
