"""Delta debugging of nn modules: the smallest module found that still fails in the same way.

A variant of a module leaves out results, makes inputs of what ops gave, lets an operand stand for a
result, or has smaller sizes. `reduced` takes the first variant that still fails, until none does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import (
    input_names,
    main_function,
    make_function,
    result_names,
    returned,
)
from dojocc.dialects.location import get_location
from dojocc.dialects.nn import ConstantOp, constant_properties
from dojocc.dialects.op import NNOp, TypeRuleError, build
from dojocc.dialects.types import as_element, elements, same_type, tensor
from dojocc.runtime.errors import UnsupportedError

Fails = Callable[[ModuleOp], bool]
Tell = Callable[[str], None]
CUT = "cut"


@dataclass(frozen=True)
class Variant:
    """What is to be different. `results`: numbers of those kept; `earlier`: number of a result ->
    of the operand of its op that is given instead; `cut`: numbers of ops whose results become
    inputs; `bypassed`: number of an op -> of the operand that stands for it; `sizes`: old size of a
    dim -> new, wherever it occurs."""

    results: tuple[int, ...] | None = None
    earlier: Mapping[int, int] = field(default_factory=dict)
    cut: frozenset[int] = frozenset()
    bypassed: Mapping[int, int] = field(default_factory=dict)
    sizes: Mapping[int, int] = field(default_factory=dict)


def reduced(
    module: ModuleOp, context: DojoContext, fails: Fails, tell: Tell = lambda text: None
) -> ModuleOp:
    """The module, made smaller as long as `fails` says of it what it said of the first.

    Arrays of new constants are added to the context's resources.
    """
    require_flat(module)
    while True:
        for variant in variants(module):
            smaller = made(module, context, variant)
            if smaller is None or weight(smaller) >= weight(module) or not fails(smaller):
                continue
            module = smaller
            ops, results, count, _ = weight(module)
            tell(f"{ops} ops, {results} results, {count} elements")
            break
        else:
            return module


def require_flat(module: ModuleOp) -> None:
    """Only ops of the nn level that stand by themselves can be taken apart."""
    for op in body(module):
        if not isinstance(op, NNOp) or op.regions:
            raise UnsupportedError(
                "only models of the nn level can be reduced",
                where=op.name,
                help="give the model itself, or what `dojocc opt` leaves before fuse",
            )


def body(module: ModuleOp) -> list[Operation]:
    """The ops of the function but its return."""
    return [op for op in main_function(module).body.block.ops if not isinstance(op, ReturnOp)]


def weight(module: ModuleOp) -> tuple[int, int, int, int]:
    """What a variant must make less of: ops, results, elements of all values, inputs."""
    ops = body(module)
    arguments = main_function(module).body.block.args
    values = [*arguments, *(value for op in ops for value in op.results)]
    count = sum(elements(value.type) for value in values if isinstance(value.type, TensorType))
    return len(ops), len(returned(main_function(module))), count, len(arguments)


def variants(module: ModuleOp) -> Iterator[Variant]:
    """Those that leave out most first."""
    ops, count = body(module), len(returned(main_function(module)))
    if count > 1:
        yield from (Variant(results=(number,)) for number in range(count))
        halves = (range(count // 2), range(count // 2, count))
        yield from (Variant(results=tuple(half)) for half in halves)
    for number, result in enumerate(returned(main_function(module))):
        operands = result.owner.operands if isinstance(result.owner, Operation) else ()
        for place, operand in enumerate(operands):
            if isinstance(operand.owner, Operation):
                yield Variant(earlier={number: place})
    step = len(ops)
    while step > 0:
        for start in range(0, len(ops), step):
            yield Variant(cut=frozenset(range(start, min(start + step, len(ops)))))
        step //= 2
    for number, op in enumerate(ops):
        for place, operand in enumerate(op.operands):
            if same_type(operand.type, op.results[0].type):
                yield Variant(bypassed={number: place})
    held = {size for op in ops for value in (*op.operands, *op.results) for size in shape(value)}
    for size in sorted(held - {0, 1}, reverse=True):
        yield from (Variant(sizes={size: new}) for new in dict.fromkeys((1, size // 2, size - 1)))


def shape(value: SSAValue) -> tuple[int, ...]:
    assert isinstance(value.type, TensorType)
    return tuple(value.type.get_shape())


@dataclass(eq=False)
class Making:
    """A variant under construction: a block, names of its inputs, and old values' new ones."""

    context: DojoContext
    variant: Variant
    block: Block
    names: list[str] = field(default_factory=list)
    new: dict[SSAValue, SSAValue] = field(default_factory=dict)

    def size(self, old: Sequence[int]) -> list[int]:
        return [self.variant.sizes.get(size, size) for size in old]

    def add_input(self, name: str, value: SSAValue) -> None:
        """The value becomes an input; one that stands for a cut op has a name of its own."""
        type: Any = value.type
        while name in self.names:
            name += "_"
        resized = tensor(self.size(type.get_shape()), type.element_type)
        self.new[value] = self.block.insert_arg(resized, len(self.names))
        self.names.append(name)

    def add_op(self, op: NNOp) -> None:
        """The op on new operands, its sizes changed; TypeRuleError where that cannot be."""
        operands = [self.new[operand] for operand in op.operands]
        if isinstance(op, ConstantOp) and self.variant.sizes:
            properties: Mapping[str, Any] = self.constant(op)
        else:
            properties = {**op.properties, **self.resized(op, operands)}
        copy = build(type(op), operands, location=get_location(op), **properties)
        self.block.add_op(copy)
        self.new.update(zip(op.results, copy.results, strict=True))

    def constant(self, op: ConstantOp) -> dict[str, Any]:
        """The first elements along every dim that became smaller."""
        array = op.array(self.context.resources)
        wanted = self.size(array.shape)
        cut = np.ascontiguousarray(array[tuple(map(slice, wanted))]).reshape(wanted)
        if cut.shape == array.shape:
            return dict(op.properties)
        element = op.result_type.element_type
        return constant_properties(as_element(cut, element), CUT, self.context.resources)

    def resized(self, op: NNOp, operands: Sequence[SSAValue]) -> dict[str, Any]:
        """Properties that speak of sizes, as the new sizes want them."""
        p = op.p
        if not self.variant.sizes:
            return {}
        if op.short_name == "slice":
            limit = [min(old, new) for old, new in zip(p.limit, shape(operands[0]), strict=True)]
            start = [min(old, end) for old, end in zip(p.start, limit, strict=True)]
            return {"limit": limit, "start": start}
        if "shape" not in op.properties:
            return {}
        wanted = self.size(p.shape)
        if op.short_name == "reshape" and prod(wanted) != prod(shape(operands[0])):
            wanted = refitted(wanted, prod(shape(operands[0])))
        return {"shape": wanted}


def refitted(wanted: list[int], count: int) -> list[int]:
    """The sizes with one of them changed so that they hold `count` elements, if one will do."""
    for axis in range(len(wanted)):
        rest = prod(wanted[:axis]) * prod(wanted[axis + 1 :])
        if rest and count % rest == 0:
            return [*wanted[:axis], count // rest, *wanted[axis + 1 :]]
    return wanted


def made(module: ModuleOp, context: DojoContext, variant: Variant) -> ModuleOp | None:
    """The variant of a module, without what then has no use; None where its shapes do not fit."""
    function, ops = main_function(module), body(module)
    results, names = list(returned(function)), result_names(function)
    for number, place in variant.earlier.items():
        owner = results[number].owner
        assert isinstance(owner, Operation)
        results[number] = owner.operands[place]
    kept = range(len(results)) if variant.results is None else variant.results
    wanted = needed(ops, [results[number] for number in kept], variant)
    making = Making(context, variant, Block())
    for name, value in zip(input_names(function), function.body.block.args, strict=True):
        if value in wanted:
            making.add_input(name, value)
    for number, op in enumerate(ops):
        if number in variant.bypassed and op.results[0] in wanted:
            making.new[op.results[0]] = making.new[op.operands[variant.bypassed[number]]]
        elif number in variant.cut:
            for value in op.results:
                if value in wanted:
                    making.add_input(f"{CUT}{number}", value)
        elif any(value in wanted for value in op.results):
            assert isinstance(op, NNOp)
            try:
                making.add_op(op)
            except TypeRuleError:
                return None
    values = [making.new[results[number]] for number in kept]
    making.block.add_op(ReturnOp(*values))
    names = [names[number] for number in kept]
    copy = ModuleOp([make_function(Region(making.block), making.names, names, values)])
    return copy if making.names or body(copy) else None


def needed(
    ops: Sequence[Operation], results: Sequence[SSAValue], variant: Variant
) -> set[SSAValue]:
    """The values that the results kept depend on."""
    wanted = set(results)
    for number in reversed(range(len(ops))):
        op = ops[number]
        if number in variant.cut or not wanted.intersection(op.results):
            continue
        if number in variant.bypassed:
            wanted.add(op.operands[variant.bypassed[number]])
        else:
            wanted.update(op.operands)
    return wanted
