"""When two kernels are the same: op for op, with the same registers, accesses, constants and
buffers."""

from __future__ import annotations

from xdsl.ir import Block, SSAValue

from dojocc.dialects.tile import KernelOp


def kernel_key(kernel: KernelOp) -> tuple:
    """A hashable description of a kernel's body; equal for equal kernels, whatever their names."""
    numbers: dict[SSAValue, int] = {}

    def visit(block: Block) -> tuple:
        for argument in block.args:
            numbers[argument] = len(numbers)
        rows: list[tuple] = [tuple(argument.type for argument in block.args)]
        for op in block.ops:
            operands = tuple(numbers[operand] for operand in op.operands)
            properties = tuple(sorted(op.properties.items(), key=lambda item: item[0]))
            inner = tuple(visit(region.block) for region in op.regions)
            for result in op.results:
                numbers[result] = len(numbers)
            rows.append((op.name, operands, properties, tuple(op.result_types), inner))
        return tuple(rows)

    return visit(kernel.body.block)
