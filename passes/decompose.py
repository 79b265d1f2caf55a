"""decompose: ops that are names for simpler ones give way to these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block

from dojocc.dialects.context import DojoContext
from dojocc.dialects.forms import has_kernel
from dojocc.dialects.location import describe
from dojocc.dialects.op import OpList
from dojocc.passes.base import Pass
from dojocc.passes.rewriting import bodies, nn_ops, replace
from dojocc.runtime.errors import UnsupportedError


@dataclass(frozen=True)
class Decompose(Pass):
    """Take composite ops apart until every op has a kernel of its own.

    Takes: nn.
    Leaves: nn-core.
    How: each op that nn-core does not allow is replaced by what its own `decompose` gives, and what
      that gives is looked at again. The op, not this pass, knows the formula, and its reference is
      tested against it.
    Fails: UnsupportedError naming all ops that can neither run nor be taken apart.
    """

    name: ClassVar[str] = "decompose"
    takes: ClassVar[str] = "nn"
    leaves: ClassVar[str] = "nn-core"

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        stuck = [name for block in bodies(op) for name in decompose_block(block)]
        if stuck:
            raise UnsupportedError(
                "the model has ops that cannot run and have no decomposition",
                where="; ".join(stuck),
                numbers=f"{len(stuck)} ops",
            )


def decompose_block(block: Block) -> list[str]:
    """Take apart what has no kernel; gives the names of ops where that is not possible."""
    stuck: dict[object, str] = {}
    while waiting := [op for op in nn_ops(block) if not has_kernel(op) and op not in stuck]:
        for op in waiting:
            b = OpList.like(op)
            value = op.decompose(b)
            if value is None:
                stuck[op] = f"{op.name} at {describe(op)}"
            else:
                replace(op, b, value)
    return list(stuck.values())
