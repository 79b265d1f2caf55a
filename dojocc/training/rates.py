"""Learning rates by step: constant, or falling linearly or by a cosine, after a warm-up."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi

from dojocc.runtime.errors import UsageError

SCHEDULES = ("constant", "linear", "cosine")


@dataclass(frozen=True)
class Schedule:
    """The rate of each step, counted from 1: it rises over `warmup` steps and ends at 0."""

    rate: float
    kind: str = "constant"
    warmup: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        if self.kind not in SCHEDULES:
            raise UsageError(
                f"there is no schedule '{self.kind}'", help=f"one of {', '.join(SCHEDULES)}"
            )
        if self.kind != "constant" and self.steps <= self.warmup:
            raise UsageError(
                f"the schedule '{self.kind}' needs more steps than its warm-up",
                numbers=f"{self.steps} steps, {self.warmup} of warm-up",
            )

    def __call__(self, step: int) -> float:
        if step <= self.warmup:
            return self.rate * step / self.warmup
        if self.kind == "constant":
            return self.rate
        share = min((step - self.warmup) / (self.steps - self.warmup), 1.0)
        return self.rate * (1 - share if self.kind == "linear" else (1 + cos(pi * share)) / 2)
