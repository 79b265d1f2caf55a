"""Where the mesh level put things: for each model node, the layout of its result."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Operation, SSAValue

from dojocc.dialects.location import get_location
from dojocc.dialects.mesh import ExchangeOp, LayoutAttr
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
    """`nn.fused -> layout`, as the mapping shows it; a move says of what, and its cost."""
    if not isinstance(op, ExchangeOp):
        return f"{op.name} -> {layout_text(op)}"
    sources = ", ".join(dict.fromkeys(map(source_name, op.operands)))
    return (
        f"{op.name} {op.kind.data} of {sources}: {op.bytes.value.data:,} B,"
        f" about {op.cycles.value.data:,} cycles -> {layout_text(op)}"
    )


def source_name(value: SSAValue) -> str:
    """The model's node, resource or input that a value is from."""
    owner = value.owner
    if isinstance(owner, ConstantOp):
        return str(owner.p.resource or "a constant")
    where = get_location(owner) if isinstance(owner, Operation) else None
    return where or value.name_hint or "an input"


def layout_text(op: Operation) -> str:
    kind = op.results[0].type
    if isinstance(kind, TensorType) and isinstance(kind.encoding, LayoutAttr):
        return str(kind.encoding).removeprefix("#mesh.layout")
    return "no layout"
