"""The options of a compile that a user may set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dojocc.frontends.read import Shapes
from dojocc.passes.choose_stores import ChooseStores
from dojocc.passes.descend import Descend
from dojocc.passes.expose_parameters import EVERY
from dojocc.passes.precision import PRECISIONS
from dojocc.passes.round_stores import RoundStores
from dojocc.runtime.errors import UsageError
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target

OPTIMIZE_LEVELS = (0, 1, 2, 3)

Defects = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Training:
    """What makes a training step of a model: options of the passes of TRAINING, by the same names.

    `parameters`, `frozen` and `inputs` are patterns of names (expose-parameters); `statistics` is
    the momentum of batch norms' running statistics. `forward` and `backward` are narrow formats of
    what products read and are sent back (choose-stores), `rounding` how they are rounded.
    """

    loss: str = "cross-entropy"
    axis: int = -1
    output: str = ""
    keep: bool = True
    optimizer: str = Descend.optimizer
    momentum: float = Descend.momentum
    nesterov: bool = Descend.nesterov
    beta1: float = Descend.beta1
    beta2: float = Descend.beta2
    epsilon: float = Descend.epsilon
    decay: float = Descend.decay
    clip: float = Descend.clip
    undecayed: tuple[str, ...] = Descend.undecayed
    parameters: tuple[str, ...] = EVERY
    frozen: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    statistics: float = 0.1
    forward: str = ChooseStores.forward
    backward: str = ChooseStores.backward
    rounding: str = RoundStores.rounding

    def __post_init__(self) -> None:
        wide = (self.forward, self.backward) == (ChooseStores.forward, ChooseStores.backward)
        if wide and self.rounding != RoundStores.rounding:
            raise UsageError(
                f"rounding {self.rounding!r} is of values in narrow formats, and there are none",
                help="train with precision cfloat8 or cfloat16",
            )

    def passes(self) -> dict[str, dict[str, object]]:
        """Options by pass."""
        names: dict[str, object] = {"names": self.parameters, "frozen": self.frozen}
        judged = ("loss", "axis", "output", "keep")
        moved = ("optimizer", "momentum", "nesterov", "beta1", "beta2", "epsilon", "decay")
        return {
            "expose-parameters": names | {"inputs": self.inputs},
            "batch-statistics": {"momentum": self.statistics},
            "choose-stores": {"forward": self.forward, "backward": self.backward},
            "round-stores": {"rounding": self.rounding},
            "differentiate": {name: getattr(self, name) for name in judged},
            "descend": {name: getattr(self, name) for name in (*moved, "clip", "undecayed")},
        }


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
