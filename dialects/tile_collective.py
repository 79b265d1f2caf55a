"""tile.collective: a collective as one step of the schedule, by tables of moves and additions."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import I64, ArrayAttr, IntegerAttr, MemRefType, StringAttr
from xdsl.ir import SSAValue
from xdsl.irdl import (
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    var_operand_def,
)
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.mesh_collective import COMBINE
from dojocc.dialects.tile_types import whole

NOTHING = "none"
"""What a collective without additions combines by."""


@irdl_op_definition
class CollectiveOp(IRDLOperation):
    """Nodes run the tables' steps (runtime/segments.py) on their buffers; all wait until they have
    theirs. The tables name buffers by their place among the operands; the first is only read. Its
    transfer lists are numbered from `number`. The buffer `clears` is filled with zeros before.
    """

    name = "tile.collective"
    buffers = var_operand_def(MemRefType)
    number = prop_def(IntegerAttr[I64])
    lists = prop_def(IntegerAttr[I64])
    moves = prop_def(StringAttr)
    adds = prop_def(StringAttr)
    combine = prop_def(StringAttr)
    bytes = prop_def(IntegerAttr[I64])
    cycles = prop_def(IntegerAttr[I64])
    clears = opt_prop_def(IntegerAttr[I64])
    mark = opt_prop_def(StringAttr)
    # Semaphores that its steps use, in the order of passes/collective_steps.py; set by route.
    semaphores = opt_prop_def(ArrayAttr[IntegerAttr[I64]])
    irdl_options = (ParsePropInAttrDict(),)
    assembly_format = (
        "$number `lists` $lists $buffers `by` $moves `then` $combine $adds"
        " `bytes` $bytes `cycles` $cycles (`clears` $clears^)?"
        " (`mark` $mark^)? attr-dict `:` type($buffers)"
    )

    def __init__(
        self,
        buffers: Sequence[SSAValue],
        number: int,
        lists: int,
        tables: tuple[str, str],
        combine: str,
        bytes: int,
        cycles: int,
        clears: int | None = None,
        mark: str | None = None,
    ) -> None:
        super().__init__(
            operands=[list(buffers)],
            properties={
                "number": whole(number),
                "lists": whole(lists),
                "moves": StringAttr(tables[0]),
                "adds": StringAttr(tables[1]),
                "combine": StringAttr(combine),
                "bytes": whole(bytes),
                "cycles": whole(cycles),
                "clears": None if clears is None else whole(clears),
                "mark": None if mark is None else StringAttr(mark),
            },
        )

    def verify_(self) -> None:
        if len(self.buffers) < 2:
            raise VerifyException("tile.collective: needs a buffer to read and one to write")
        if self.clears is not None and not 0 < self.clears.value.data < len(self.buffers):
            raise VerifyException("tile.collective: clears a buffer that it does not write")
        if self.combine.data not in (NOTHING, *COMBINE):
            raise VerifyException(
                f"tile.collective: {self.combine.data!r} is none of {(NOTHING, *COMBINE)}"
            )
