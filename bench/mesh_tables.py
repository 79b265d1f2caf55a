"""BookSim2's tables, and a row of what we say to them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

TABLES = Path(__file__).parent.parent / "tests" / "data" / "booksim"


@dataclass(frozen=True)
class Row:
    """One figure: `measured` by BookSim2, `predicted` by us, and how far off it may be.

    allowed is relative; for what == "latency" it is in cycles. None: no promise, only reported.
    """

    table: str
    case: str
    what: str
    measured: float
    predicted: float
    allowed: float | None

    @property
    def error(self) -> float:
        """Relative error, cycles for a latency."""
        difference = self.predicted - self.measured
        return difference if self.what == "latency" else difference / self.measured

    @property
    def kept(self) -> bool:
        return self.allowed is None or abs(self.error) <= self.allowed


def read(table: str) -> list[dict[str, str]]:
    with (TABLES / f"{table}.csv").open() as file:
        return list(csv.DictReader(file))
