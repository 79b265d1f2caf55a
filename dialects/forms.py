"""Forms: which ops a module may hold at each stage. A pass takes one form and leaves one.

`violations` names every op that a form does not allow; the pipeline checks it after every pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Operation, SSAValue

from dojocc.dialects.location import describe
from dojocc.dialects.mesh import LayoutAttr
from dojocc.dialects.nn import ConvolutionOp, FusedOp, ReduceWindowOp
from dojocc.dialects.op import NNOp

FRAME = ("builtin.module", "func.func", "func.return")
ROW_KERNELS = ("softmax", "layer_norm")


@dataclass(frozen=True)
class Form:
    """A row: `allows` says of each op whether it may stand in a module of this form."""

    name: str
    summary: str
    allows: Callable[[Operation], bool]
    special_case_of: tuple[str, ...] = ()


def is_nn(op: Operation) -> bool:
    return isinstance(op, NNOp)


def has_kernel(op: Operation) -> bool:
    """An nn op that is computed as it is: not one that is only a name for simpler ones."""
    if isinstance(op, ConvolutionOp | ReduceWindowOp):
        return not op.padded_before
    return isinstance(op, NNOp) and (not op.COMPOSITE or op.short_name in ROW_KERNELS)


def is_fused_level(op: Operation) -> bool:
    """Computing stands inside regions; outside them elements only move."""
    if not has_kernel(op):
        return False
    if isinstance(op.parent_op(), FusedOp):
        return not isinstance(op, FusedOp)
    return isinstance(op, NNOp) and op.FUSIBLE in ("movement", "structure")


def of_dialects(*names: str) -> Callable[[Operation], bool]:
    """Any op of these dialects."""
    return lambda op: op.name.split(".")[0] in names


FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Form("nn", "ops of the nn dialect", is_nn),
        Form(
            "nn-core",
            "nn ops that have a kernel of their own"
            " (no gelu, batch norm, dilated input, third padded dim, ...)",
            has_kernel,
            ("nn",),
        ),
        Form(
            "nn-fused",
            "nn.fused regions of nn-core ops, and ops that only move elements between them",
            is_fused_level,
            ("nn-core", "nn"),
        ),
        Form("mesh", "nn and mesh ops on tensors with layouts", of_dialects("nn", "mesh", "func")),
        Form("tile", "buffers, kernels and exchanges", of_dialects("tile", "builtin")),
        Form("disa", "instructions", of_dialects("disa", "builtin")),
    )
}


def allows(wanted: str, given: str) -> bool:
    """True where a module of form `given` is also of form `wanted`."""
    return wanted == given or wanted in FORMS[given].special_case_of


def form_of(module: ModuleOp) -> str:
    """The form by which a module enters the pipeline: by the lowest dialect it uses; nn ops whose
    values have layouts are of the mesh form."""
    names = {op.name.split(".")[0] for op in module.walk()}
    for form in ("disa", "tile", "mesh"):
        if form in names:
            return form
    values = (value for op in module.walk() for value in (*op.operands, *op.results))
    return "mesh" if any(map(has_layout, values)) else "nn"


def has_layout(value: SSAValue) -> bool:
    return isinstance(value.type, TensorType) and isinstance(value.type.encoding, LayoutAttr)


def violations(module: ModuleOp, form: str) -> list[str]:
    """`op at location` for every op the form does not allow."""
    row = FORMS[form]
    return [
        f"{op.name} at {describe(op)}"
        for op in module.walk()
        if op.name not in FRAME and not row.allows(op)
    ]
