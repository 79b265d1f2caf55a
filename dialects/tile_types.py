"""Types of the `tile` dialect (vec, raw, acc, pred), formats of buffers, and kernels' loop
structure ops."""

from __future__ import annotations

from xdsl.dialects.builtin import (
    I64,
    BFloat16Type,
    Float32Type,
    IndexType,
    IntegerAttr,
    IntegerType,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
    i64,
)
from xdsl.ir import (
    Attribute,
    Block,
    Operation,
    ParametrizedAttribute,
    Region,
    SSAValue,
    TypeAttribute,
)
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_attr_definition,
    irdl_op_definition,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
)
from xdsl.traits import IsolatedFromAbove, NoTerminator, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.tile_access import LEVELS


@irdl_attr_definition
class VecType(ParametrizedAttribute, TypeAttribute):
    """A vector register: 16 lanes of FP32 or INT32."""

    name = "tile.vec"


@irdl_attr_definition
class RawType(ParametrizedAttribute, TypeAttribute):
    """64 B of matrix operand, as they lie in memory."""

    name = "tile.raw"


@irdl_attr_definition
class AccType(ParametrizedAttribute, TypeAttribute):
    """A matrix accumulator of 8 x 8 FP32."""

    name = "tile.acc"


@irdl_attr_definition
class PredType(ParametrizedAttribute, TypeAttribute):
    """A lane predicate."""

    name = "tile.pred"


vec, raw, acc, pred, index = VecType(), RawType(), AccType(), PredType(), IndexType()


def buffer_format(element: Attribute) -> str:
    """The storage format of a buffer's element type."""
    match element:
        case BFloat16Type():
            return "BF16"
        case Float32Type():
            return "FP32"
        case IntegerType(width=width) if width.data in (8, 16, 32):
            return f"INT{width.data}"
        case _:
            raise VerifyException(f"a buffer cannot hold elements of type {element}")


def whole(value: int) -> IntegerAttr[I64]:
    """A plain number as a property."""
    return IntegerAttr(value, i64)


def enclosing_levels(op: Operation) -> frozenset[int]:
    """Levels of the loops around an op."""
    levels = []
    parent = op.parent_op()
    while parent is not None and not isinstance(parent, KernelOp):
        if isinstance(parent, ForOp):
            levels.append(parent.level.value.data)
        parent = parent.parent_op()
    return frozenset(levels)


@irdl_op_definition
class KernelOp(IRDLOperation):
    """A subroutine over buffers and per-node scalars. Arguments: memrefs first, then `index`
    scalars."""

    name = "tile.kernel"
    sym_name = prop_def(SymbolNameConstraint())
    body = region_def("single_block")
    traits = traits_def(NoTerminator(), IsolatedFromAbove(), SymbolOpInterface())
    assembly_format = "$sym_name $body attr-dict"

    def __init__(self, name: str, body: Region) -> None:
        super().__init__(properties={"sym_name": StringAttr(name)}, regions=[body])

    @property
    def buffers(self) -> tuple[SSAValue, ...]:
        return tuple(arg for arg in self.body.block.args if isinstance(arg.type, MemRefType))

    @property
    def scalars(self) -> tuple[SSAValue, ...]:
        return tuple(arg for arg in self.body.block.args if isinstance(arg.type, IndexType))

    def verify_(self) -> None:
        types = [arg.type for arg in self.body.block.args]
        known = [isinstance(kind, MemRefType) for kind in types]
        if known != sorted(known, reverse=True):
            raise VerifyException("a kernel's buffers come before its scalars")
        if not all(isinstance(kind, MemRefType | IndexType) for kind in types):
            raise VerifyException("a kernel takes memrefs and index scalars only")


@irdl_op_definition
class ForOp(IRDLOperation):
    """A hardware loop at `level`: `count` times, or as often as the scalar `trips` says (0 skips
    it)."""

    name = "tile.for"
    level = prop_def(IntegerAttr[I64])
    count = opt_prop_def(IntegerAttr[I64])
    trips = opt_operand_def(IndexType())
    body = region_def("single_block")
    traits = traits_def(NoTerminator())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "`level` $level (`times` $count^)? (`upto` $trips^)? $body attr-dict"

    def __init__(self, level: int, count: int | SSAValue, body: Region | None = None) -> None:
        fixed = isinstance(count, int)
        super().__init__(
            operands=[[] if fixed else [count]],
            properties={"level": whole(level), "count": whole(count) if fixed else None},
            regions=[Region(Block()) if body is None else body],
        )

    def verify_(self) -> None:
        level = self.level.value.data
        if not 0 <= level < LEVELS:
            raise VerifyException(f"loop level {level} is outside 0..{LEVELS - 1}")
        outer = enclosing_levels(self)
        if outer and level <= max(outer):
            raise VerifyException(
                f"loop level {level} stands inside level {max(outer)}; levels rise inward"
            )
        if (self.count is None) == (self.trips is None):
            raise VerifyException("a loop has either a count or a trips operand")
        if self.count is not None and not 0 <= self.count.value.data < 1 << 16:
            raise VerifyException(f"a loop count has 16 bits, not {self.count.value.data}")
