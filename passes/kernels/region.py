"""A fused op (or a single one) as a kernel sees it: a root, leaves read through maps, and
expressions.

`Region.leaves` finds which operands the expressions read and through which map of the iteration
domain; `Evaluator` emits the expressions for 16 lanes, given a way to load a leaf.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from xdsl.dialects.builtin import TensorType, i1
from xdsl.ir import Operation, SSAValue

from dojocc.dialects.domain import Affine, Map
from dojocc.dialects.location import describe
from dojocc.dialects.nn.constant import ConstantOp
from dojocc.dialects.nn.fused import FusedOp
from dojocc.dialects.nn.movement import BroadcastInDimOp, ReshapeOp, SliceOp, TransposeOp
from dojocc.dialects.op import NNOp, OpList
from dojocc.passes.kernels.builder import KernelBuilder
from dojocc.passes.kernels.expressions import RULES, as_lanes, emit
from dojocc.runtime.errors import UnsupportedError

ROOTS = ("contraction", "window", "reduction", "row", "indexing")
Leaf = tuple[int, Map]


@dataclass
class Region:
    """The ops of one kernel: operands (by number), the root if there is one, and the values it
    gives."""

    op: NNOp
    arguments: tuple[SSAValue, ...]
    values: tuple[SSAValue, ...]
    root: NNOp | None
    made: list[Operation] = field(default_factory=list)
    parts: dict[SSAValue, SSAValue] = field(default_factory=dict)

    @classmethod
    def of(cls, op: NNOp) -> Region:
        """The region of an nn.fused, or of one op by itself."""
        if isinstance(op, FusedOp):
            inner = [each for each in op.inner_ops if isinstance(each, NNOp)]
            roots = [each for each in inner if each.FUSIBLE in ROOTS]
            if len(roots) > 1:
                raise UnsupportedError(
                    f"nn.fused holds {len(roots)} roots: {', '.join(each.name for each in roots)}",
                    where=describe(op),
                    help="a kernel has at most one",
                )
            root = roots[0] if roots else None
            return cls(op, tuple(op.block.args), tuple(op.yielded), root)
        root = op if op.FUSIBLE in ROOTS else None
        return cls(op, tuple(op.operands), tuple(op.results), root)

    def close(self) -> None:
        """Forget the ops that composites were taken apart into."""
        for op in reversed(self.made):
            op.erase()
        self.made.clear()
        self.parts.clear()

    def __enter__(self) -> Region:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def argument(self, value: SSAValue) -> int | None:
        """The operand number of a value, or None."""
        return self.arguments.index(value) if value in self.arguments else None

    def behind_slices(self, value: SSAValue) -> tuple[int | None, tuple[int, ...]]:
        """The operand number of a value or of what it is a slice of, and where the slice starts."""
        start = (0,) * rank(value)
        while isinstance(value.owner, SliceOp) and set(value.owner.p.strides) <= {1}:
            start = tuple(a + b for a, b in zip(start, value.owner.p.start, strict=True))
            value = value.owner.operands[0]
        return self.argument(value), start

    def whole(self, value: SSAValue) -> SSAValue:
        """The value, or what stands for it where its op has no rule of its own and was taken
        apart."""
        op = value.owner
        if not isinstance(op, NNOp) or op is self.root or self.argument(value) is not None:
            return value
        if op.FUSIBLE != "elementwise" or op.short_name in RULES:
            return value
        if value not in self.parts:
            ops = OpList.like(op)
            simpler = op.decompose(ops)
            self.made.extend(ops.ops)
            if simpler is None:
                raise UnsupportedError(
                    f"{op.name} has neither instructions nor a decomposition", where=describe(op)
                )
            self.parts[value] = simpler
        return self.whole(self.parts[value])

    def operands_of(self, value: SSAValue, amap: Map) -> list[tuple[SSAValue, Map]]:
        """What an inner value is computed from, each through its map of the domain."""
        op = value.owner
        match op:
            case BroadcastInDimOp():
                return [(op.operands[0], broadcast_map(op, amap))]
            case TransposeOp():
                inverse = np.argsort(op.p.permutation)
                return [(op.operands[0], tuple(amap[axis] for axis in inverse))]
            case ReshapeOp():
                return [(op.operands[0], reshape_map(op, amap))]
            case NNOp() if op.FUSIBLE == "elementwise":
                return [(each, amap if rank(each) == len(amap) else ()) for each in op.operands]
            case _:
                raise UnsupportedError(
                    f"{getattr(op, 'name', value)} cannot stand inside a kernel",
                    where=describe(self.op),
                )

    def leaves(self, value: SSAValue, amap: Map) -> list[Leaf]:
        """The operands that an expression reads, without those behind the root."""
        found: dict[Leaf, None] = {}
        for part, where in self.parts_of(value, amap):
            number = self.argument(part)
            if number is not None:
                found[number, where] = None
        return list(found)

    def steps(self, value: SSAValue, amap: Map) -> int:
        """How many element-wise ops an expression takes, without those behind the root."""
        owners = [part.owner for part, _ in self.parts_of(value, amap)]
        return sum(isinstance(op, NNOp) and op.FUSIBLE == "elementwise" for op in owners)

    def parts_of(self, value: SSAValue, amap: Map) -> list[tuple[SSAValue, Map]]:
        """An expression's values down to operands, constants and the root, each once."""
        seen: dict[tuple[SSAValue, Map], None] = {}

        def walk(value: SSAValue, amap: Map) -> None:
            value = self.whole(value)
            if (value, amap) in seen:
                return
            seen[value, amap] = None
            end = value.owner is self.root or isinstance(value.owner, ConstantOp)
            if self.argument(value) is None and not end:
                for each in self.operands_of(value, amap):
                    walk(*each)

        walk(value, amap)
        return list(seen)


def rank(value: SSAValue) -> int:
    assert isinstance(value.type, TensorType)
    return value.type.get_num_dims()


def sizes(value: SSAValue) -> tuple[int, ...]:
    assert isinstance(value.type, TensorType)
    return tuple(value.type.get_shape())


def broadcast_map(op: BroadcastInDimOp, amap: Map) -> Map:
    """Where the operand of a broadcast is read for a point of the result."""
    wide = sizes(op.results[0])
    return tuple(
        amap[axis] if size == wide[axis] else Affine()
        for axis, size in zip(op.p.dims, sizes(op.operands[0]), strict=True)
    )


def reshape_map(op: ReshapeOp, amap: Map) -> Map:
    """Where the operand of a reshape is read; only dims of size 1 may come and go inside a
    kernel."""
    before, after = sizes(op.operands[0]), sizes(op.results[0])
    kept = [each for each, size in zip(amap, after, strict=True) if size != 1]
    if [size for size in before if size != 1] != [size for size in after if size != 1]:
        raise UnsupportedError(
            f"a reshape from {before} to {after} cannot stand inside a kernel", where=describe(op)
        )
    left = iter(kept)
    return tuple(next(left) if size != 1 else Affine() for size in before)


class Evaluator:
    """Emits expressions at one place of a nest; each value once."""

    def __init__(
        self,
        region: Region,
        b: KernelBuilder,
        load: Callable[[Leaf], SSAValue],
        root: SSAValue | None = None,
        root_map: Map | None = None,
    ) -> None:
        self.region = region
        self.b = b
        self.load = load
        self.root = root
        self.root_map = root_map
        self.known: dict[tuple[SSAValue, Map], SSAValue] = {}

    def value(self, value: SSAValue, amap: Map) -> SSAValue:
        """Lanes (or a predicate) of a value of the region."""
        value = self.region.whole(value)
        key = (value, amap)
        if key not in self.known:
            self.known[key] = self._emit(value, amap)
        return self.known[key]

    def lanes(self, value: SSAValue, amap: Map) -> SSAValue:
        """The value as lanes that can be stored."""
        return as_lanes(self.b, self.value(value, amap))

    def _emit(self, value: SSAValue, amap: Map) -> SSAValue:
        number = self.region.argument(value)
        if number is not None:
            return self.load((number, amap))
        op = value.owner
        root = self.region.root
        if root is not None and op is root and self.root is not None:
            if self.root_map is not None and amap != self.root_map:
                raise UnsupportedError(
                    f"what follows {root.name} reads it out of order",
                    where=describe(self.region.op),
                )
            return self.root
        if isinstance(op, ConstantOp):
            return self._constant(op)
        inputs = [self.value(*each) for each in self.region.operands_of(value, amap)]
        assert isinstance(op, NNOp)
        return emit(self.b, op, inputs) if op.FUSIBLE == "elementwise" else inputs[0]

    def _constant(self, op: ConstantOp) -> SSAValue:
        values = np.unique(op.array({}).reshape(-1)) if op.p.value is not None else np.zeros(0)
        if len(values) != 1:
            raise UnsupportedError(
                "a constant inside a kernel has to be one number everywhere",
                where=describe(op),
                help="make it an operand of the fused op",
            )
        kind = op.result_type.element_type
        number = values[0]
        if kind == i1 or np.issubdtype(values.dtype, np.integer):
            return self.b.constant(int(number))
        return self.b.constant(float(number))
