"""Kernel builders: from one fused op and its operands' layouts to tile.kernel loop nests and their
calls."""

from __future__ import annotations

from collections.abc import Callable

from dojocc.dialects.nn.fused import FusedOp
from dojocc.dialects.op import NNOp
from dojocc.passes.kernels.builder import KernelCall
from dojocc.passes.kernels.contraction import contraction
from dojocc.passes.kernels.elementwise import elementwise
from dojocc.passes.kernels.frame import Request
from dojocc.passes.kernels.indexing import indexing
from dojocc.passes.kernels.region import Region
from dojocc.passes.kernels.row import row
from dojocc.passes.kernels.window import window

Family = Callable[[Request, Region], list[KernelCall]]

FAMILIES: dict[str, Family] = {
    "contraction": contraction,
    "window": window,
    "reduction": row,
    "row": row,
    "indexing": indexing,
}
"""The kernel family of a root, by its `FUSIBLE` class; without a root a kernel is element-wise."""


def kernel_calls(request: Request) -> list[KernelCall]:
    """The kernels of one op and the calls that run them, in order."""
    with Region.of(request.op) as region:
        if region.root is None:
            return elementwise(request, region)
        return FAMILIES[region.root.FUSIBLE](request, region)


def kernel_label(op: NNOp) -> str:
    """What a kernel is called: its root's name."""
    root = op.root() if isinstance(op, FusedOp) else op
    return "elementwise" if root is None else root.short_name
