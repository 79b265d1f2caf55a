"""descend: gradients become new parameters, by an optimizer that runs on the machine."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp, f32
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Block, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import (
    GRADIENT,
    LOSS,
    PARAMETER,
    SETTING,
    STATE,
    Row,
    input_names,
    input_rows,
    main_function,
    name_of,
    result_rows,
    returned,
    role_of,
    row,
    set_returned,
    set_rows,
)
from dojocc.dialects.op import OpList
from dojocc.dialects.types import tensor
from dojocc.passes.base import Pass
from dojocc.passes.differentiate import gradient_row
from dojocc.passes.errors import PipelineError
from dojocc.passes.rewriting import shape
from dojocc.passes.training.optimizers import OPTIMIZERS, Knobs, Step, clipped
from dojocc.passes.training.reverse import append
from dojocc.runtime.errors import UsageError

RATE, STEP, NORM = "rate", "step", "gradient norm"


@dataclass(frozen=True)
class Descend(Pass):
    """Make a training step: parameters, state and batch in, new parameters and state out.

    Takes: nn, as differentiate leaves it.
    Leaves: nn. Inputs: parameters, buffers, state, data, `rate` (the learning rate) and `step` (its
      number from 1, as f32). Results: the loss, outputs, buffers, new parameters and new state by
      the names and roles of their inputs; with `clip` the norm of all gradients before clipping.
    How: each gradient goes through the optimizer's formula (sgd with momentum, adam, adamw, as
      PyTorch has them) with its parameter and state, element by element. With `clip` above 0 all
      gradients are scaled first, so that their joint norm is at most that. Tensors whose name
      matches `undecayed` have no weight decay. Parameters the loss does not depend on are no input
      any more.
    Fails: PipelineError for an optimizer that does not exist or a number out of range; UsageError
      where the function has no gradients.
    """

    name: ClassVar[str] = "descend"
    takes: ClassVar[str] = "nn"
    leaves: ClassVar[str] = "nn"

    optimizer: str = "sgd"
    momentum: float = 0.0
    nesterov: bool = False
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    decay: float = 0.0
    clip: float = 0.0
    undecayed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise PipelineError(
                f"descend: there is no optimizer '{self.optimizer}'",
                help=f"it is one of {', '.join(OPTIMIZERS)}",
            )
        for name in ("momentum", "beta1", "beta2", "epsilon", "decay", "clip"):
            value, below = getattr(self, name), name in ("momentum", "beta1", "beta2")
            if value < 0 or below and value >= 1:
                bounds = "at least 0" + (" and below 1" if below else "")
                raise PipelineError(
                    f"descend: {name} must be {bounds}", numbers=f"{name} = {value}"
                )

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        function = main_function(op)
        names, rows = input_names(function), result_rows(function)
        values = list(returned(function))
        places = {
            name: rows.index(gradient_row(name)) for name in names if gradient_row(name) in rows
        }
        if not places:
            raise UsageError(
                "the function has no gradients to descend by", help="run differentiate before"
            )
        b = OpList("the optimizer")
        found = {name: values[place] for name, place in places.items()}
        norm = None
        if self.clip > 0:
            found, norm = clipped(b, found, self.clip)
        inputs = Inputs.of(function)
        step = Step(inputs.setting(RATE), inputs.setting(STEP))
        kept = [
            (each, value)
            for each, value in zip(rows, values, strict=True)
            if role_of(each) != GRADIENT
        ]
        if norm is not None:
            kept.insert(1, (row(NORM, LOSS), norm))
        kept += self.updates(b, inputs, found, step)
        append(function.body.block, b)
        set_returned(function, [value for _, value in kept])
        inputs.drop_unread()
        set_rows(function, inputs.rows, [each for each, _ in kept])

    def updates(
        self, b: OpList, inputs: Inputs, found: dict[str, SSAValue], step: Step
    ) -> list[tuple[Row, SSAValue]]:
        """New parameters and new state, a row each; inputs for the state are added."""
        make = OPTIMIZERS[self.optimizer]
        arguments = dict(inputs.by_name())
        parameters: list[tuple[Row, SSAValue]] = []
        states: list[tuple[Row, SSAValue]] = []
        for name, gradient in found.items():
            state = {
                part: inputs.state(state_name(part, name), shape(gradient))
                for part in make.parts(self)
            }
            plain = any(fnmatchcase(name, pattern) for pattern in self.undecayed)
            knobs = Knobs.of(self, 0.0 if plain else self.decay)
            b.location = f"the optimizer, of '{name}'"
            new, after = make.formula(b, knobs, step, arguments[name], gradient, state)
            parameters.append((row(name, PARAMETER), new))
            states += [(row(state_name(part, name), STATE), value) for part, value in after.items()]
        return parameters + states


def state_name(part: str, parameter: str) -> str:
    """What the optimizer's memory of a parameter is called."""
    return f"{part} of {parameter}"


@dataclass
class Inputs:
    """A function's inputs while some are added: state before the data, settings last."""

    block: Block
    rows: list[Row]

    @staticmethod
    def of(function: FuncOp) -> Inputs:
        return Inputs(function.body.block, input_rows(function))

    def by_name(self) -> list[tuple[str, SSAValue]]:
        names = (name_of(each) for each in self.rows)
        return list(zip(names, self.block.args, strict=True))

    def setting(self, name: str, kind: Attribute = f32) -> SSAValue:
        return self.add(len(self.rows), row(name, SETTING), (), kind)

    def state(self, name: str, sizes: tuple[int, ...]) -> SSAValue:
        place = sum(role_of(each) not in (None, SETTING) for each in self.rows)
        return self.add(place, row(name, STATE), sizes)

    def add(
        self, place: int, attributes: Row, sizes: tuple[int, ...], kind: Attribute = f32
    ) -> SSAValue:
        """One more input."""
        name = name_of(attributes)
        if name in map(name_of, self.rows):
            raise UsageError(
                f"the model has an input '{name}' already, and a training step needs one",
                help="rename the model's input",
            )
        self.rows.insert(place, attributes)
        return self.block.insert_arg(tensor(sizes, kind), place)

    def drop_unread(self) -> None:
        """Take parameters away that nothing reads."""
        for number in range(len(self.rows) - 1, -1, -1):
            argument = self.block.args[number]
            if role_of(self.rows[number]) == PARAMETER and not argument.uses:
                self.block.erase_arg(argument)
                del self.rows[number]
