"""What makes a training step of a model, as a user may choose it."""

from __future__ import annotations

from dataclasses import dataclass

from dojocc.passes.choose_stores import ChooseStores
from dojocc.passes.descend import Descend
from dojocc.passes.expose_parameters import EVERY
from dojocc.passes.round_stores import RoundStores
from dojocc.runtime.errors import UsageError


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
