"""The options of a compile that a user may set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dojocc.runtime.errors import UsageError
from dojocc.runtime.format_table import PRECISIONS
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target

if TYPE_CHECKING:
    from dojocc.training.choices import Training

OPTIMIZE_LEVELS = (0, 1, 2, 3)
LEVELS = ("nn", "mesh", "tile", "disa")
"""Where a compile may stop."""

Shapes = Mapping[str, Sequence[int]]
Defects = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Options:
    """What a user may choose. `defects` is {"nodes": [[row, col], ...], "links": [...]}; without
    `dram`, all constants stay in SRAM. With `training` the program is a step of it."""

    target: str | Path | Target = "d1-die"
    precision: str = "bf16"
    shapes: Shapes | None = None
    defects: Defects | None = None
    optimize: int = 2
    seed: int = 0
    dram: bool = True
    training: Training | None = None

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(
                f"there is no precision {self.precision!r}", help=f"one of {', '.join(PRECISIONS)}"
            )
        if self.optimize not in OPTIMIZE_LEVELS:
            raise UsageError(
                f"there is no optimisation level {self.optimize!r}",
                help=f"one of {', '.join(map(str, OPTIMIZE_LEVELS))}",
            )

    def machine(self) -> Target:
        """The target, with the user's defects marked."""
        target = self.target if isinstance(self.target, Target) else load_target(self.target)
        if not self.defects:
            return target
        return target.with_dead(self.defects.get("nodes", ()), self.defects.get("links", ()))
