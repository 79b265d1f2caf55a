"""Det, and other small linear algebra by elimination."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dojocc.frontends.build import shape_of
from dojocc.frontends.onnx.node import Node, Refusal, handles

LARGEST = 4


@handles("Det")
def determinant(node: Node) -> SSAValue:
    """By the first row's cofactors: exact enough for matrices up to 4 x 4, and no pivots."""
    b, shape = node.b, node.shape()
    size = shape[-1]
    if shape[-2] != size or size > LARGEST:
        raise Refusal(
            f"matrices of {shape[-2]} x {size}; square ones up to {LARGEST} are supported"
        )
    batch = list(shape[:-2])

    def entry(row: int, column: int) -> SSAValue:
        low = [0] * len(batch) + [row, column]
        part = b.slice(node.x(), low, [*batch, row + 1, column + 1])
        return b.reshape(part, batch)

    def minor(row: int, columns: tuple[int, ...]) -> SSAValue:
        total = None
        for number, column in enumerate(columns):
            term = entry(row, column)
            if len(columns) > 1:
                rest = columns[:number] + columns[number + 1 :]
                term = b.emit("multiply", term, minor(row + 1, rest))
            if total is None:
                total = term
            else:
                total = b.emit("subtract" if number % 2 else "add", total, term)
        assert total is not None and shape_of(total) == tuple(batch)
        return total

    return minor(0, tuple(range(size)))
