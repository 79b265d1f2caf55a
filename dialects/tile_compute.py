"""Ops of the `tile` dialect that compute: matrix accumulators, vector instructions, mutable
cells."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import (
    I32,
    I64,
    Float32Type,
    FloatAttr,
    IndexType,
    IntegerAttr,
    StringAttr,
    UnitAttr,
    f32,
    i32,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    AnyOf,
    AttrSizedOperandSegments,
    BaseAttr,
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    var_operand_def,
)
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.tile_types import AccType, PredType, RawType, VecType, whole
from dojocc.runtime.isa.instr import TABLE

ACCUMULATING = tuple(
    name for name, row in TABLE.items() if row.unit == "vector" and row.reduces and not row.product
)
VEC, ACC, PRED = VecType(), AccType(), PredType()
REGISTER = AnyOf((BaseAttr(VecType), BaseAttr(PredType)))


def vector_result(mnemonic: str) -> Attribute:
    """The type a vector instruction gives, from its row."""
    row = TABLE.get(mnemonic)
    if row is None:
        raise VerifyException(f"there is no instruction '{mnemonic}'")
    return PRED if row.operands[0].kind == "p" else VEC


@irdl_op_definition
class AccZeroOp(IRDLOperation):
    """Name a matrix accumulator and set it to zero, each time it is executed."""

    name = "tile.acc_zero"
    result = result_def(AccType())
    assembly_format = "attr-dict"

    def __init__(self) -> None:
        super().__init__(result_types=[ACC])


@irdl_op_definition
class MmaOp(IRDLOperation):
    """Accumulator (8x8) += lhs (8x4) * rhs (4x8); transposed: rhs is given as an 8x4 block."""

    name = "tile.mma"
    cell = operand_def(AccType())
    lhs = operand_def(RawType())
    rhs = operand_def(RawType())
    transposed = opt_prop_def(UnitAttr)
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$cell `,` $lhs `,` $rhs (`transposed` $transposed^)? attr-dict"

    def __init__(
        self, cell: SSAValue, lhs: SSAValue, rhs: SSAValue, transposed: bool = False
    ) -> None:
        super().__init__(
            operands=[cell, lhs, rhs], properties={"transposed": UnitAttr() if transposed else None}
        )

    def verify_(self) -> None:
        if not isinstance(self.cell.owner, AccZeroOp):
            raise VerifyException("the accumulator of tile.mma comes from tile.acc_zero")


@irdl_op_definition
class AccReadOp(IRDLOperation):
    """Rows 2*part and 2*part + 1 of an accumulator as 16 lanes."""

    name = "tile.acc_read"
    cell = operand_def(AccType())
    part = prop_def(IntegerAttr[I64])
    result = result_def(VecType())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$cell `part` $part attr-dict"

    def __init__(self, cell: SSAValue, part: int) -> None:
        super().__init__(operands=[cell], properties={"part": whole(part)}, result_types=[VEC])

    def verify_(self) -> None:
        if not 0 <= self.part.value.data < 4:
            raise VerifyException(f"an accumulator has parts 0..3, not {self.part.value.data}")


@irdl_op_definition
class VectorOp(IRDLOperation):
    """One vector instruction without accumulation, by its mnemonic; a predicate only selects
    (`vsel`)."""

    name = "tile.vector"
    mnemonic = prop_def(StringAttr)
    format = opt_prop_def(StringAttr)
    inputs = var_operand_def(REGISTER)
    predicate = opt_operand_def(PredType())
    result = result_def(REGISTER)
    irdl_options = (AttrSizedOperandSegments(as_property=True), ParsePropInAttrDict())
    assembly_format = (
        "$mnemonic (`as` $format^)? $inputs (`if` $predicate^)? attr-dict"
        " `:` type($inputs) `->` type($result)"
    )

    def __init__(
        self,
        mnemonic: str,
        inputs: Sequence[SSAValue],
        predicate: SSAValue | None = None,
        format: str | None = None,
        result_type: Attribute | None = None,
    ) -> None:
        super().__init__(
            operands=[list(inputs), [] if predicate is None else [predicate]],
            properties={
                "mnemonic": StringAttr(mnemonic),
                "format": None if format is None else StringAttr(format),
            },
            result_types=[vector_result(mnemonic) if result_type is None else result_type],
        )

    def verify_(self) -> None:
        name = self.mnemonic.data
        row = TABLE.get(name)
        if row is None or row.unit != "vector" or row.reduces is not None:
            raise VerifyException(f"'{name}' is not a vector instruction without accumulation")
        expected = [VEC if op.kind == "v" else PRED for op in row.inputs if op.kind in ("v", "p")]
        if name == "vsel":
            expected = [VEC, VEC]
        if [value.type for value in self.inputs] != expected:
            raise VerifyException(f"{name} takes {[str(kind) for kind in expected]}")
        if self.result.type != vector_result(name):
            raise VerifyException(f"{name} gives {vector_result(name)}")
        if (self.predicate is not None) != (name == "vsel"):
            raise VerifyException("vsel, and only vsel, takes a predicate here")
        if (self.format is not None) != any(op.kind == "d" for op in row.operands):
            raise VerifyException(f"a format stands exactly on instructions that convert; {name}")


@irdl_op_definition
class SplatOp(IRDLOperation):
    """A constant, or the low 32 bits of a scalar, in all lanes."""

    name = "tile.splat"
    value = opt_prop_def(FloatAttr[Float32Type] | IntegerAttr[I32])
    scalar = opt_operand_def(IndexType())
    result = result_def(VecType())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "(`of` $scalar^)? attr-dict"

    def __init__(self, value: float | int | SSAValue) -> None:
        match value:
            case SSAValue():
                super().__init__(operands=[[value]], result_types=[VEC])
            case int():
                super().__init__(
                    operands=[[]], properties={"value": IntegerAttr(value, i32)}, result_types=[VEC]
                )
            case float():
                super().__init__(
                    operands=[[]], properties={"value": FloatAttr(value, f32)}, result_types=[VEC]
                )

    def verify_(self) -> None:
        if (self.value is None) == (self.scalar is None):
            raise VerifyException("tile.splat has either a value or a scalar")


@irdl_op_definition
class CellOp(IRDLOperation):
    """Name a vector register that ops below change in place; set to `init` each time it is
    executed."""

    name = "tile.cell"
    init = prop_def(FloatAttr[Float32Type] | IntegerAttr[I32])
    result = result_def(VecType())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "attr-dict"

    def __init__(self, init: float | int) -> None:
        value = IntegerAttr(init, i32) if isinstance(init, int) else FloatAttr(init, f32)
        super().__init__(properties={"init": value}, result_types=[VEC])


def _verify_cell(cell: SSAValue, name: str) -> None:
    if not isinstance(cell.owner, CellOp):
        raise VerifyException(f"{name} changes a tile.cell, not another value")


@irdl_op_definition
class AccumulateOp(IRDLOperation):
    """Cell = cell (+, max, min, *) value: one accumulating instruction."""

    name = "tile.accumulate"
    kind = prop_def(StringAttr)
    cell = operand_def(VecType())
    value = operand_def(VecType())
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = "$kind $cell `,` $value attr-dict"

    def __init__(self, kind: str, cell: SSAValue, value: SSAValue) -> None:
        super().__init__(operands=[cell, value], properties={"kind": StringAttr(kind)})

    def verify_(self) -> None:
        _verify_cell(self.cell, self.name)
        if self.kind.data not in ACCUMULATING:
            raise VerifyException(
                f"tile.accumulate is one of {ACCUMULATING}, not '{self.kind.data}'"
            )


@irdl_op_definition
class FmaAccumulateOp(IRDLOperation):
    """Cell = cell + lhs * rhs (`vfma`)."""

    name = "tile.fma_accumulate"
    cell = operand_def(VecType())
    lhs = operand_def(VecType())
    rhs = operand_def(VecType())
    assembly_format = "$cell `,` $lhs `,` $rhs attr-dict"

    def __init__(self, cell: SSAValue, lhs: SSAValue, rhs: SSAValue) -> None:
        super().__init__(operands=[cell, lhs, rhs])

    def verify_(self) -> None:
        _verify_cell(self.cell, self.name)


@irdl_op_definition
class AssignOp(IRDLOperation):
    """Cell = value, on the lanes of the predicate (`vmov`). Carries a value across iterations: not
    liftable."""

    name = "tile.assign"
    cell = operand_def(VecType())
    value = operand_def(VecType())
    predicate = opt_operand_def(PredType())
    assembly_format = "$cell `,` $value (`if` $predicate^)? attr-dict"

    def __init__(self, cell: SSAValue, value: SSAValue, predicate: SSAValue | None = None) -> None:
        super().__init__(operands=[cell, value, [] if predicate is None else [predicate]])

    def verify_(self) -> None:
        _verify_cell(self.cell, self.name)
