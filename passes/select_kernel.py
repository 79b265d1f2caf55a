"""From a tile.kernel to the instructions of a subroutine: one rule an op.

Rules for rules: a rule reads registers from the `Selection`, appends instructions, and decides
nothing that the op does not say. A vector instruction needs no rule: tile.vector names it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from xdsl.dialects.builtin import Float32Type, FloatAttr, IntegerAttr
from xdsl.ir import Attribute, Block, Operation, SSAValue

from dojocc.dialects.disa import InstructionOp, instruction
from dojocc.dialects.disa import KernelOp as Subroutine
from dojocc.dialects.location import copy_location
from dojocc.dialects.tile import (
    AccReadOp,
    AccumulateOp,
    AccZeroOp,
    AssignOp,
    CellOp,
    FmaAccumulateOp,
    ForOp,
    GatherOp,
    InBoundsOp,
    KernelOp,
    LoadOp,
    LoadRawOp,
    MmaOp,
    SplatOp,
    StoreOp,
    VectorOp,
)
from dojocc.passes.kernel_generators import Generators, assign_generators, set_up
from dojocc.passes.kernel_registers import assign_registers, positions
from dojocc.runtime.errors import UnsupportedError
from dojocc.runtime.formats import FORMATS
from dojocc.runtime.isa.instr import TABLE

FIRST_PARAMETER, LAST_PARAMETER = 8, 30
"""Scalar registers of a kernel's parameters: buffer addresses first, then scalars."""
ALL_LANES = 0
DESCRIPTORS = {name: number for number, name in enumerate(FORMATS)}
"""Format descriptor by format: what each holds when a node starts."""
GRANULE_SUFFIX = {0: "b", 1: "", 2: "2", 4: "4", 16: "16"}


@dataclass(eq=False)
class Selection:
    """The state of one kernel's selection."""

    registers: dict[SSAValue, int]
    scalars: dict[SSAValue, int]
    generators: Generators
    code: list[InstructionOp] = field(default_factory=list)

    def add(self, mnemonic: str, *values: int | float) -> None:
        """Append an instruction; a missing trailing predicate means all lanes."""
        self.code.append(instruction(mnemonic, *values))

    def predicate(self, value: SSAValue | None) -> int:
        return ALL_LANES if value is None else self.registers[value]


def select_kernel(kernel: KernelOp) -> Subroutine:
    """The subroutine of a kernel."""
    where = positions(kernel)
    state = Selection(
        registers=assign_registers(kernel, where),
        scalars=parameters(kernel),
        generators=assign_generators(kernel, where),
    )
    select_block(state, kernel.body.block)
    state.add("ret")
    result = Subroutine(kernel.sym_name.data, state.code)
    copy_location(kernel, result)
    return result


def parameters(kernel: KernelOp) -> dict[SSAValue, int]:
    """The scalar register of every argument."""
    arguments = kernel.body.block.args
    room = LAST_PARAMETER - FIRST_PARAMETER + 1
    if len(arguments) > room:
        raise UnsupportedError(
            f"kernel '{kernel.sym_name.data}' takes too many buffers and scalars",
            numbers=f"need {len(arguments)} registers, have {room}",
            help="split the op into smaller ones",
        )
    return {value: FIRST_PARAMETER + number for number, value in enumerate(arguments)}


def select_block(state: Selection, block: Block) -> None:
    for op in block.ops:
        for number, generator in state.generators.before.get(op, ()):
            state.code += set_up(number, generator, state.scalars)
        rule = RULES.get(type(op))
        if rule is None:
            raise UnsupportedError(f"no rule selects instructions for {op.name}")
        rule(state, op)


def select_for(state: Selection, op: ForOp) -> None:
    level = op.level.value.data
    if op.trips is not None:
        state.add("loopx", level, state.scalars[op.trips])
    elif op.count is not None:
        state.add("loop", level, op.count.value.data)
    select_block(state, op.body.block)
    state.add("end")


def select_load(state: Selection, op: LoadOp) -> None:
    padded = op.padded is not None
    suffix = GRANULE_SUFFIX[op.granules.value.data]
    name = "vld" + (suffix + "p" if padded and suffix == "b" else ("p" if padded else "") + suffix)
    generators = state.generators
    state.add(
        name,
        state.registers[op.result],
        generators.number[op],
        DESCRIPTORS[op.format.data],
        generators.first[op],
        ALL_LANES,
    )


def select_store(state: Selection, op: StoreOp) -> None:
    name = "vst" + ("p" if op.padded is not None else "") + GRANULE_SUFFIX[op.granules.value.data]
    generators = state.generators
    state.add(
        name,
        state.registers[op.value],
        generators.number[op],
        DESCRIPTORS[op.format.data],
        generators.first[op],
        state.predicate(op.predicate),
    )


def select_load_raw(state: Selection, op: LoadRawOp) -> None:
    name = f"ldg{'p' if op.padded is not None else ''}{op.granule_bytes.value.data}"
    generators = state.generators
    state.add(name, state.registers[op.result], generators.number[op], generators.first[op])


def select_gather(state: Selection, op: GatherOp) -> None:
    state.add(
        "vgat",
        state.registers[op.result],
        state.generators.number[op],
        DESCRIPTORS[op.format.data],
        state.registers[op.indices],
        ALL_LANES,
    )


def select_in_bounds(state: Selection, op: InBoundsOp) -> None:
    generators = state.generators
    state.add("pinb", state.registers[op.result], generators.number[op], generators.first[op])


def select_zero(state: Selection, op: AccZeroOp) -> None:
    state.add("mzero", state.registers[op.result])


def select_mma(state: Selection, op: MmaOp) -> None:
    name = "mmact" if op.transposed is not None else "mmac"
    state.add(name, *(state.registers[value] for value in (op.cell, op.lhs, op.rhs)))


def select_read(state: Selection, op: AccReadOp) -> None:
    state.add("mread", state.registers[op.result], state.registers[op.cell], op.part.value.data)


def select_vector(state: Selection, op: VectorOp) -> None:
    """The instruction's operands in the row's order: registers of the inputs, the format, the
    predicate."""
    inputs = iter(op.inputs)
    values = []
    for operand in TABLE[op.mnemonic.data].operands:
        match operand.role, operand.kind:
            case "write", _:
                values.append(state.registers[op.result])
            case "mask", _:
                values.append(ALL_LANES)
            case "read", "d":
                assert op.format is not None
                values.append(DESCRIPTORS[op.format.data])
            case "read", "p" if op.predicate is not None:
                values.append(state.registers[op.predicate])
            case "read", "v" | "p":
                values.append(state.registers[next(inputs)])
            case _:
                raise UnsupportedError(
                    f"tile.vector cannot give {op.mnemonic.data} its operand {operand.name}"
                )
    state.add(op.mnemonic.data, *values)


def constant(state: Selection, register: int, value: Attribute) -> None:
    """Every lane = an FP32 or INT32 constant."""
    match value:
        case FloatAttr(type=Float32Type()):
            state.add("vli", register, value.value.data, ALL_LANES)
        case IntegerAttr():
            state.add("vlii", register, value.value.data, ALL_LANES)
        case _:
            raise UnsupportedError(f"no instruction fills lanes with {value}")


def select_splat(state: Selection, op: SplatOp) -> None:
    register = state.registers[op.result]
    if op.scalar is not None:
        state.add("vsplat", register, state.scalars[op.scalar], ALL_LANES)
    elif op.value is not None:
        constant(state, register, op.value)


def select_cell(state: Selection, op: CellOp) -> None:
    constant(state, state.registers[op.result], op.init)


def select_accumulate(state: Selection, op: AccumulateOp) -> None:
    state.add(op.kind.data, state.registers[op.cell], state.registers[op.value], ALL_LANES)


def select_fma(state: Selection, op: FmaAccumulateOp) -> None:
    state.add("vfma", *(state.registers[value] for value in (op.cell, op.lhs, op.rhs)), ALL_LANES)


def select_assign(state: Selection, op: AssignOp) -> None:
    mask = state.predicate(op.predicate)
    state.add("vmov", state.registers[op.cell], state.registers[op.value], mask)


RULES: dict[type[Operation], Callable[[Selection, Any], None]] = {
    ForOp: select_for,
    LoadOp: select_load,
    StoreOp: select_store,
    LoadRawOp: select_load_raw,
    GatherOp: select_gather,
    InBoundsOp: select_in_bounds,
    AccZeroOp: select_zero,
    MmaOp: select_mma,
    AccReadOp: select_read,
    VectorOp: select_vector,
    SplatOp: select_splat,
    CellOp: select_cell,
    AccumulateOp: select_accumulate,
    FmaAccumulateOp: select_fma,
    AssignOp: select_assign,
}
"""The rule of every op that may stand in a kernel."""
