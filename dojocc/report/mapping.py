"""Where the mesh level put things: for each model node, the layout of its result."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Operation

from dojocc.dialects.location import get_location
from dojocc.dialects.mesh import LayoutAttr
from dojocc.dialects.nn import ConstantOp
from dojocc.passes.rewriting import functions


def mapping_of(module: ModuleOp) -> dict[str, str]:
    """Source location -> op and layout of its result; moves and kernels of one node are joined."""
    found: dict[str, str] = {}
    for function in functions(module):
        for op in function.body.block.ops:
            where = get_location(op)
            if where is None or isinstance(op, ConstantOp) or not op.results:
                continue
            line = describe(op)
            found[where] = f"{found[where]}; {line}" if where in found else line
    return found


def describe(op: Operation) -> str:
    """`nn.fused -> layout`, as the mapping shows it."""
    return f"{op.name} -> {layout_text(op)}"


def layout_text(op: Operation) -> str:
    kind = op.results[0].type
    if isinstance(kind, TensorType) and isinstance(kind.encoding, LayoutAttr):
        return str(kind.encoding).removeprefix("#mesh.layout")
    return "no layout"
