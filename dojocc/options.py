"""The options of a compile that a user may set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dojocc.frontends.read import Shapes
from dojocc.passes.precision import PRECISIONS
from dojocc.runtime.errors import UsageError
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target

OPTIMIZE_LEVELS = (0, 1, 2, 3)

Defects = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Options:
    """What a user may choose. `defects` is {"nodes": [[row, col], ...], "links": [...]}; without
    `dram`, all constants stay in SRAM."""

    target: str | Path | Target = "d1-die"
    precision: str = "bf16"
    shapes: Shapes | None = None
    defects: Defects | None = None
    optimize: int = 2
    seed: int = 0
    dram: bool = True

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
