"""Address generators of a tile.kernel: which one serves each access, and the code that sets it up.

Accesses that differ only in their first granule share a generator. A generator is set up before the
outermost loop of its first use, and free again after the outermost loop of its last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xdsl.ir import Operation, SSAValue

from dojocc.dialects.disa import InstructionOp, instruction
from dojocc.dialects.tile import Access, AccessOp, KernelOp
from dojocc.passes.kernel_registers import Positions, too_many
from dojocc.passes.solve.intervals import Crowded, assign

GENERATORS = range(15)
"""Generators a kernel may use; a15 is the stream's."""
FIRST = range(-128, 128)
"""First granules that fit the field of an instruction."""
START, LIMIT = 1, 2
"""Scalar registers that set-up code may use."""


@dataclass(frozen=True)
class Generator:
    """What one address generator is set to."""

    buffer: SSAValue
    access: Access
    y0: SSAValue | None
    x0: SSAValue | None
    ylim: SSAValue | None
    xlim: SSAValue | None


@dataclass(frozen=True, eq=False)
class Generators:
    """Per access op its generator's number and its first granule; per top-level op what is set up
    before it."""

    number: dict[AccessOp, int]
    first: dict[AccessOp, int]
    before: dict[Operation, list[tuple[int, Generator]]]


def wanted(op: AccessOp) -> tuple[Generator, int]:
    """The generator an access needs, and its first granule."""
    access = op.where
    first = access.first
    if first not in FIRST:
        access = replace(
            access,
            offset=access.offset + first * access.pitch,
            x_start=access.x_start + first * access.gstep,
        )
        first = 0
    return Generator(op.buffer, replace(access, first=0), op.y0, op.x0, op.ylim, op.xlim), first


def assign_generators(kernel: KernelOp, where: Positions) -> Generators:
    """Generators by the top-level ops they are used in."""
    first: dict[AccessOp, int] = {}
    user: dict[Generator, list[AccessOp]] = {}
    for op in where.of:
        if isinstance(op, AccessOp):
            generator, first[op] = wanted(op)
            user.setdefault(generator, []).append(op)
    order = {op: number for number, op in enumerate(kernel.body.block.ops)}
    spans = []
    for ops in user.values():
        homes = [order[outermost(op, kernel)] for op in ops]
        spans.append((min(homes), max(homes) + 1))
    try:
        chosen = assign(spans, GENERATORS)
    except Crowded as crowded:
        raise too_many(kernel, crowded, "address generators") from crowded
    number: dict[AccessOp, int] = {}
    before: dict[Operation, list[tuple[int, Generator]]] = {}
    for (generator, ops), place in zip(user.items(), chosen, strict=True):
        number.update(dict.fromkeys(ops, place))
        home = min((outermost(op, kernel) for op in ops), key=lambda op: order[op])
        before.setdefault(home, []).append((place, generator))
    return Generators(number, first, before)


def outermost(op: Operation, kernel: KernelOp) -> Operation:
    """The op of the kernel's top level that holds `op`, or `op` itself."""
    while op.parent_op() is not kernel:
        parent = op.parent_op()
        assert parent is not None
        op = parent
    return op


def set_up(
    number: int, generator: Generator, scalars: Mapping[SSAValue, int]
) -> list[InstructionOp]:
    """Instructions that set generator `number`; `scalars` gives the registers of the kernel's
    arguments."""
    access = generator.access
    code = [instruction("aclr", number), instruction("abase", number, scalars[generator.buffer])]
    if access.offset:
        code.append(instruction("aaddi", number, access.offset))
    code += levels("astr", number, access.strides)
    if access.pitch:
        code.append(instruction("apitch", number, access.pitch))
    if access.bounded and repr(access.pad) != "0.0":
        code.append(instruction("apad", number, access.pad))
    if access.y_strides:
        start = operand(generator.y0, access.y_start, START, scalars, code)
        limit = operand(generator.ylim, access.y_limit, LIMIT, scalars, code)
        code.append(instruction("ay", number, start, limit))
        code += levels("aystr", number, access.y_strides)
    if access.x_strides:
        start = operand(generator.x0, access.x_start, START, scalars, code)
        limit = operand(generator.xlim, access.x_limit, LIMIT, scalars, code)
        code.append(instruction("ax", number, start, limit))
        code += levels("axstr", number, access.x_strides)
    if access.gstep or access.lstep:
        code.append(instruction("astep", number, access.gstep, access.lstep))
    return code


def levels(mnemonic: str, number: int, strides: tuple[int, ...]) -> list[InstructionOp]:
    return [
        instruction(mnemonic, number, level, step) for level, step in enumerate(strides) if step
    ]


def operand(
    value: SSAValue | None,
    constant: int,
    scratch: int,
    scalars: Mapping[SSAValue, int],
    code: list[InstructionOp],
) -> int:
    """The register that holds value + constant; code that puts it into `scratch` where needed."""
    if value is None:
        if constant == 0:
            return 0
        code.append(instruction("lil", scratch, constant))
        return scratch
    if constant == 0:
        return scalars[value]
    code.append(instruction("addi", scratch, scalars[value], constant))
    return scratch
