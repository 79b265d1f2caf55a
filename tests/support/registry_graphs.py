"""Random nn graphs over the whole registry: ops, shapes, element types, broadcasting, layouts.

`graph_of(seed)` gives a module with its inputs. Every op is run on real arrays as it is added, so
what is not finite, or too large to compare, is left out again. A value remembers how far it may be
trusted: EXACT (inputs, and what no rounding touches), SMOOTH (a small change of what it is computed
from changes it little), JUMPY (a comparison or a floor of something rounded).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from registry_makers import MAKERS
from xdsl.dialects.builtin import ModuleOp, f32, i1, i8, i16, i32
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, Block, Region, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import make_function
from dojocc.dialects.nn import constant_properties, evaluate
from dojocc.dialects.numerics import PLAIN
from dojocc.dialects.op import OpList, TypeRuleError
from dojocc.dialects.types import as_element, tensor

EXACT, SMOOTH, JUMPY = 0, 1, 2
LARGEST = 2000
HIGHEST = 1e4
JUMPING = frozenset(
    {"sign", "floor", "ceil", "round_nearest_even", "compare", "arg_reduce", "remainder"}
    | {"bitcast_convert", "is_finite"}
)
CHOOSING = frozenset(
    {"abs", "negate", "maximum", "minimum", "select", "clamp", "reverse", "pad", "take", "slice"}
    | {"reshape", "transpose", "concatenate", "broadcast_in_dim", "not", "and", "or", "xor"}
)
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -3e38, 0.5], np.float32)


@dataclass(eq=False)
class Graph:
    """A module, its inputs, and of each result whether it may be held to values near it."""

    seed: int
    context: DojoContext
    module: ModuleOp
    inputs: dict[str, np.ndarray]
    trusted: dict[str, bool]
    ops: tuple[str, ...]


class Growing:
    """A graph so far: its values with their arrays and trust (state)."""

    def __init__(
        self, context: DojoContext, random: np.random.Generator, special: bool, rounds: bool
    ) -> None:
        self.context, self.random, self.special = context, random, special
        self.rounds = rounds
        self.b = OpList("a random op")
        self.block = Block()
        self.inputs: dict[str, np.ndarray] = {}
        self.arrays: dict[SSAValue, np.ndarray] = {}
        self.trust: dict[SSAValue, int] = {}
        self.values: list[SSAValue] = []

    def fresh(self, shape: Sequence[int], element: Attribute) -> np.ndarray:
        """An array of a shape: near 1, small whole numbers, or with what is special."""
        random = self.random
        if element == i1:
            return random.random(shape) < 0.5
        if element != f32:
            return as_element(random.integers(-9, 10, shape), element)
        array = np.asarray(random.standard_normal(shape), np.float32)
        if self.special and random.random() < 0.5:
            mask = random.random(shape) < 0.2
            array = np.where(mask, random.choice(SPECIAL, shape), array)
        return array

    def add_input(self, shape: Sequence[int], element: Attribute) -> SSAValue:
        value = self.block.insert_arg(tensor(shape, element), len(self.inputs))
        self.inputs[f"x{len(self.inputs)}"] = self.fresh(shape, element)
        self.arrays[value] = self.inputs[f"x{len(self.inputs) - 1}"]
        self.trust[value] = self.given(element)
        self.values.append(value)
        return value

    def constant(self, array: np.ndarray) -> SSAValue:
        value = self.b("constant", **constant_properties(array, "weight", self.context.resources))
        kind = f32 if array.dtype == np.float32 else i32
        self.arrays[value], self.trust[value] = array, self.given(kind)
        return value

    def given(self, element: Attribute) -> int:
        """What is given is exact, unless the machine rounds it first."""
        return SMOOTH if self.rounds and element == f32 else EXACT

    def weight(
        self, shape: Sequence[int], element: Attribute = f32, scale: float = 1.0
    ) -> SSAValue:
        array = self.fresh(shape, element)
        return self.constant(array * np.float32(scale) if element == f32 else array)

    def weight_of(self, number: float, like: SSAValue) -> SSAValue:
        """One number in the shape and type of a value."""
        type: Any = like.type
        scalar = self.constant(as_element(np.array(number), type.element_type))
        return self("broadcast_in_dim", scalar, dims=(), shape=type.get_shape())

    def second(self, shape: Sequence[int], element: Attribute) -> SSAValue:
        """A value of this very type: there already, a new input, a weight, or broadcast."""
        wanted = tensor(shape, element)
        found = [value for value in self.values if value.type == wanted]
        choice = self.random.random()
        if found and choice < 0.4:
            return found[self.random.integers(len(found))]
        if choice < 0.55:
            return self.add_input(shape, element)
        kept = [axis for axis in range(len(shape)) if self.random.random() < 0.6]
        small = [1 if self.random.random() < 0.3 else shape[axis] for axis in kept]
        base = self.weight(small, element)
        if len(kept) == len(shape) and small == list(shape):
            return base
        return self("broadcast_in_dim", base, dims=kept, shape=shape)

    def __call__(self, name: str, *operands: SSAValue, **properties: Any) -> SSAValue:
        """An op with the arrays it gives; TypeRuleError where it does not suit its operands."""
        value = self.b(name, *operands, **properties)
        op: Any = self.b.ops[-1]
        arrays = [self.arrays[operand] for operand in operands]
        with np.errstate(all="ignore"):
            (self.arrays[value],) = evaluate(op, arrays, PLAIN, self.context.resources)
        self.trust[value] = self.trust_of(name, operands, value)
        return value

    def trust_of(self, name: str, operands: Sequence[SSAValue], value: SSAValue) -> int:
        before = max((self.trust[operand] for operand in operands), default=EXACT)
        if before == EXACT:
            element: Any = value.type
            whole = element.element_type != f32 and name != "convert"
            plain = whole and all(self.arrays[each].dtype != np.float32 for each in operands)
            known = plain or name in CHOOSING or name in JUMPING or name in ("constant", "iota")
            return EXACT if known else SMOOTH
        element = value.type
        if name in JUMPING or (name == "convert" and element.element_type != f32):
            return JUMPY
        return before

    def grow(self, name: str) -> bool:
        """Add one op of a kind to some value; False where it does not suit."""
        value = self.values[int(self.random.integers(len(self.values)))]
        held, inputs = len(self.b.ops), len(self.inputs)
        try:
            made = MAKERS[name](self, value)
        except TypeRuleError:
            made = None
        if made is None or not self.fits(made):
            del self.b.ops[held:]
            self.forget(inputs)
            return False
        self.values.append(made)
        return True

    def forget(self, inputs: int) -> None:
        """Drop the inputs that an op left out again had added."""
        for number in reversed(range(inputs, len(self.inputs))):
            argument = self.block.args[number]
            self.values.remove(argument)
            for use in list(argument.uses):
                use.operation.drop_all_references()
            self.block.erase_arg(argument)
            del self.inputs[f"x{number}"]

    def fits(self, value: SSAValue) -> bool:
        array = self.arrays[value]
        if array.size > LARGEST:
            return False
        if array.dtype != np.float32:
            return array.size == 0 or np.abs(array.astype(np.int64)).max() <= 1 << 30
        return self.special or array.size == 0 or bool(np.abs(array).max() <= HIGHEST)


def shape_of(random: np.random.Generator) -> tuple[int, ...]:
    """A shape of rank 0 to 5: small, sometimes long, sometimes with ones."""
    rank = int(random.choice(6, p=[0.04, 0.1, 0.2, 0.2, 0.4, 0.06]))
    most = {1: 200, 2: 40, 3: 12, 4: 8, 5: 5}.get(rank, 1)
    while True:
        shape = tuple(int(size) for size in random.integers(1, most + 1, rank))
        if prod(shape) <= LARGEST // 2:
            return shape


def graph_of(seed: int, only: str | None = None, rounds: bool = False) -> Graph:
    """The graph of a seed; it starts with an op of the registry that goes by turns, or `only`.

    With `rounds` it is for a machine that rounds what it is given, to BF16."""
    random = np.random.default_rng([seed, 20])
    context = DojoContext()
    growing = Growing(context, random, special=seed % 8 == 7, rounds=rounds)
    for _ in range(int(random.integers(1, 3))):
        element = [f32, f32, f32, i32, i1, i8, i16][int(random.integers(7))]
        growing.add_input(shape_of(random), element)
    names = list(MAKERS)
    first = only or names[seed % len(names)]
    if not any(growing.grow(first) for _ in range(8)):
        growing.add_input((4, 3, 6, 6), f32)
        growing.add_input((3, 8), i32)
        while not growing.grow(first):
            pass
    wanted = int(random.integers(1, 9))
    for _ in range(60):
        if wanted == 0:
            break
        wanted -= growing.grow(names[int(random.integers(len(names)))])
    return finished(growing, seed)


def finished(growing: Growing, seed: int) -> Graph:
    """A module that returns the last values and those nobody reads."""
    unread = [v for v in growing.values[len(growing.inputs) :] if not v.uses.get_length()]
    results = list(dict.fromkeys([*unread[-3:], growing.values[-1]]))
    block, ops = growing.block, growing.b.ops
    block.add_ops(ops)
    block.add_op(ReturnOp(*results))
    names = [f"y{number}" for number in range(len(results))]
    module = ModuleOp([make_function(Region(block), list(growing.inputs), names, results)])
    trusted = {
        name: growing.trust[value] < JUMPY and not growing.special
        for name, value in zip(names, results, strict=True)
    }
    short = tuple(op.name.removeprefix("nn.") for op in ops)
    return Graph(seed, growing.context, module, growing.inputs, trusted, short)


LEFT_OUT = {
    "fused": "made by the fuse pass of every graph; a graph of the frontends has none",
    "yield": "ends a region of nn.fused",
    "stored_as": "a mark for training's passes, the value itself by the rest",
    "round_to": "numbers that are near end a grid step apart; tests/nn and tests/training have it",
    "round_stochastically": "numbers that are near end a grid step apart, as by round_to",
    "random_bits": "a bit of difference going in is half of them coming out; tests/nn has it",
}
