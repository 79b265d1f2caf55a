"""Ops of the `tile` dialect that touch a buffer: loads, stores, matrix loads, gathers and their
bounds."""

from __future__ import annotations

from xdsl.dialects.builtin import I64, IndexType, IntegerAttr, MemRefType, StringAttr, UnitAttr
from xdsl.ir import SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
)
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.tile_access import Access, AccessAttr
from dojocc.dialects.tile_types import (
    PredType,
    RawType,
    VecType,
    buffer_format,
    enclosing_levels,
    whole,
)

GRANULES = (0, 1, 2, 4, 16)
"""Granules a vector access may have; 0 is one element for all lanes."""
RAW_GRANULE_BYTES = (4, 8, 16)
VEC, RAW, PRED = VecType(), RawType(), PredType()


class AccessOp(IRDLOperation):
    """Base of the ops that touch a buffer: what its access may look like."""

    buffer = operand_def(MemRefType)
    y0 = opt_operand_def(IndexType())
    x0 = opt_operand_def(IndexType())
    ylim = opt_operand_def(IndexType())
    xlim = opt_operand_def(IndexType())
    access = prop_def(AccessAttr)

    @property
    def where(self) -> Access:
        return self.access.data

    def verify_(self) -> None:
        access = self.where
        closed = access.levels() - enclosing_levels(self)
        if closed:
            raise VerifyException(
                f"the access has strides on levels {sorted(closed)}, where no loop is open"
            )
        if not 0 <= access.first < 256:
            raise VerifyException(f"the first granule has 8 bits, not {access.first}")
        if (self.y0 or self.ylim) and not access.y_strides:
            raise VerifyException("a y operand needs y_strides (a bound on y)")
        if (self.x0 or self.xlim) and not access.x_strides:
            raise VerifyException("an x operand needs x_strides (a bound on x)")
        self.verify_form()

    def verify_form(self) -> None:
        """What the particular op asks, besides."""

    def verify_format(self, given: StringAttr, padded: object) -> None:
        """The format is the buffer's, and only padded accesses have bounds."""
        kind = self.buffer.type
        assert isinstance(kind, MemRefType)
        expected = buffer_format(kind.element_type)
        if given.data != expected:
            raise VerifyException(f"the access is in {given.data}, the buffer holds {expected}")
        self.verify_padding(padded)

    def verify_padding(self, padded: object) -> None:
        if self.where.bounded != (padded is not None):
            raise VerifyException("`padded` stands exactly where the access has bounds")


def _coordinates(
    y0: SSAValue | None, x0: SSAValue | None, ylim: SSAValue | None, xlim: SSAValue | None
) -> list[list[SSAValue]]:
    return [[] if value is None else [value] for value in (y0, x0, ylim, xlim)]


_WHERE = "(`y0` $y0^)? (`x0` $x0^)? (`ylim` $ylim^)? (`xlim` $xlim^)?"
_OPTIONS = (AttrSizedOperandSegments(as_property=True), ParsePropInAttrDict())


@irdl_op_definition
class LoadOp(AccessOp):
    """Read 16 lanes as `granules` runs of consecutive elements (0: one element to all lanes),
    widened."""

    name = "tile.load"
    granules = prop_def(IntegerAttr[I64])
    format = prop_def(StringAttr)
    padded = opt_prop_def(UnitAttr)
    result = result_def(VecType())
    irdl_options = _OPTIONS
    assembly_format = (
        "$buffer `granules` $granules `as` $format (`padded` $padded^)? "
        + _WHERE
        + " $access attr-dict `:` type($buffer)"
    )

    def __init__(
        self,
        buffer: SSAValue,
        access: Access,
        granules: int = 1,
        y0: SSAValue | None = None,
        x0: SSAValue | None = None,
        ylim: SSAValue | None = None,
        xlim: SSAValue | None = None,
    ) -> None:
        assert isinstance(buffer.type, MemRefType)
        super().__init__(
            operands=[buffer, *_coordinates(y0, x0, ylim, xlim)],
            properties={
                "access": AccessAttr(access),
                "granules": whole(granules),
                "format": StringAttr(buffer_format(buffer.type.element_type)),
                "padded": UnitAttr() if access.bounded else None,
            },
            result_types=[VEC],
        )

    def verify_form(self) -> None:
        self.verify_format(self.format, self.padded)
        if self.granules.value.data not in GRANULES:
            raise VerifyException(f"a load has {GRANULES} granules, not {self.granules.value.data}")


@irdl_op_definition
class StoreOp(AccessOp):
    """Write 16 lanes, narrowed to the buffer's format; lanes outside the predicate are left
    alone."""

    name = "tile.store"
    value = operand_def(VecType())
    predicate = opt_operand_def(PredType())
    granules = prop_def(IntegerAttr[I64])
    format = prop_def(StringAttr)
    padded = opt_prop_def(UnitAttr)
    irdl_options = _OPTIONS
    assembly_format = (
        "$value `to` $buffer (`if` $predicate^)? `granules` $granules `as` $format"
        " (`padded` $padded^)? " + _WHERE + " $access attr-dict `:` type($buffer)"
    )

    def __init__(
        self,
        value: SSAValue,
        buffer: SSAValue,
        access: Access,
        granules: int = 1,
        y0: SSAValue | None = None,
        x0: SSAValue | None = None,
        ylim: SSAValue | None = None,
        xlim: SSAValue | None = None,
        predicate: SSAValue | None = None,
    ) -> None:
        assert isinstance(buffer.type, MemRefType)
        super().__init__(
            operands=[
                value,
                [] if predicate is None else [predicate],
                buffer,
                *_coordinates(y0, x0, ylim, xlim),
            ],
            properties={
                "access": AccessAttr(access),
                "granules": whole(granules),
                "format": StringAttr(buffer_format(buffer.type.element_type)),
                "padded": UnitAttr() if access.bounded else None,
            },
        )

    def verify_form(self) -> None:
        self.verify_format(self.format, self.padded)
        if self.granules.value.data not in GRANULES[1:]:
            raise VerifyException(
                f"a store has {GRANULES[1:]} granules, not {self.granules.value.data}"
            )


@irdl_op_definition
class LoadRawOp(AccessOp):
    """Gather 64 B in granules of 4, 8 or 16 B for the matrix unit; granules out of bounds are zero
    bytes."""

    name = "tile.load_raw"
    granule_bytes = prop_def(IntegerAttr[I64])
    padded = opt_prop_def(UnitAttr)
    result = result_def(RawType())
    irdl_options = _OPTIONS
    assembly_format = (
        "$buffer `bytes` $granule_bytes (`padded` $padded^)? "
        + _WHERE
        + " $access attr-dict `:` type($buffer)"
    )

    def __init__(
        self,
        buffer: SSAValue,
        access: Access,
        granule_bytes: int,
        y0: SSAValue | None = None,
        x0: SSAValue | None = None,
        ylim: SSAValue | None = None,
        xlim: SSAValue | None = None,
    ) -> None:
        super().__init__(
            operands=[buffer, *_coordinates(y0, x0, ylim, xlim)],
            properties={
                "access": AccessAttr(access),
                "granule_bytes": whole(granule_bytes),
                "padded": UnitAttr() if access.bounded else None,
            },
            result_types=[RAW],
        )

    def verify_form(self) -> None:
        self.verify_padding(self.padded)
        if self.granule_bytes.value.data not in RAW_GRANULE_BYTES:
            raise VerifyException(
                f"matrix loads have granules of {RAW_GRANULE_BYTES} B,"
                f" not {self.granule_bytes.value.data}"
            )


@irdl_op_definition
class GatherOp(AccessOp):
    """Read the element at the access's address + indices[lane] * element size, lane by lane."""

    name = "tile.gather"
    indices = operand_def(VecType())
    format = prop_def(StringAttr)
    result = result_def(VecType())
    irdl_options = _OPTIONS
    assembly_format = (
        "$buffer `at` $indices `as` $format " + _WHERE + " $access attr-dict `:` type($buffer)"
    )

    def __init__(self, buffer: SSAValue, indices: SSAValue, access: Access) -> None:
        assert isinstance(buffer.type, MemRefType)
        super().__init__(
            operands=[indices, buffer, [], [], [], []],
            properties={
                "access": AccessAttr(access),
                "format": StringAttr(buffer_format(buffer.type.element_type)),
            },
            result_types=[VEC],
        )

    def verify_form(self) -> None:
        self.verify_format(self.format, None)


@irdl_op_definition
class InBoundsOp(AccessOp):
    """The predicate of the lanes that are in bounds (coordinates as for one granule)."""

    name = "tile.in_bounds"
    result = result_def(PredType())
    irdl_options = _OPTIONS
    assembly_format = "$buffer " + _WHERE + " $access attr-dict `:` type($buffer)"

    def __init__(
        self,
        buffer: SSAValue,
        access: Access,
        y0: SSAValue | None = None,
        x0: SSAValue | None = None,
        ylim: SSAValue | None = None,
        xlim: SSAValue | None = None,
    ) -> None:
        super().__init__(
            operands=[buffer, *_coordinates(y0, x0, ylim, xlim)],
            properties={"access": AccessAttr(access)},
            result_types=[PRED],
        )

    def verify_form(self) -> None:
        if not self.where.bounded:
            raise VerifyException("in_bounds needs an access with bounds")
