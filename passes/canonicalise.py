"""canonicalise: one spelling for each thing, nothing twice, nothing unused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Block, Operation, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.op import NNOp
from dojocc.passes.base import SAME, Pass
from dojocc.passes.errors import PassBroken
from dojocc.passes.rewriting import apply_rules, bodies, nn_ops, remove_dead
from dojocc.passes.simplify_arithmetic import arithmetic_rules
from dojocc.passes.simplify_movement import MOVEMENT_RULES

SWEEPS = 100


@dataclass(frozen=True)
class Canonicalise(Pass):
    """Simplify by rules that hold for every value.

    Takes: nn.
    Leaves: the form it was given.
    How: sweeps until nothing changes; every rule removes an op, shortens a chain or moves a
      broadcast towards its users, so sweeps end.
      1. Movement (simplify_movement.py): ops that move nothing go; reshapes, transposes, slices,
         broadcasts and reverses of their own kind become one.
      2. Arithmetic (simplify_arithmetic.py): x + 0, x * 1, double conversions, double negation;
         element-wise work on broadcasts of one shape is done before broadcasting.
      3. Of two equal ops the first stays; nn ops have no side effects, so equal operands and
         properties mean equal values.
      4. Ops without users go.
    Fails: PassBroken if the sweeps do not end; no input is refused.
    """

    name: ClassVar[str] = "canonicalise"
    takes: ClassVar[str] = "nn"
    leaves: ClassVar[str] = SAME

    def apply(self, ctx: DojoContext, op: ModuleOp) -> None:
        for block in bodies(op):
            simplify(ctx, block)


def simplify(ctx: DojoContext, block: Block) -> None:
    """Apply the rules to one block until nothing changes."""
    rules = MOVEMENT_RULES | arithmetic_rules(ctx.resources)
    for _ in range(SWEEPS):
        changed = remove_dead(block)
        changed |= apply_rules(block, rules)
        changed |= merge_equal(block)
        if not changed:
            return
    raise PassBroken("canonicalise: the rules do not come to an end", numbers=f"{SWEEPS} sweeps")


Key = tuple[str, tuple[SSAValue, ...], tuple[tuple[str, Attribute], ...], tuple[Attribute, ...]]


def merge_equal(block: Block) -> bool:
    """Later ops equal to an earlier one are replaced by it."""
    first: dict[Key, Operation] = {}
    changed = False
    for op in nn_ops(block):
        if op.regions or not op.results:
            continue
        kept = first.setdefault(key_of(op), op)
        if kept is not op:
            for old, new in zip(op.results, kept.results, strict=True):
                old.replace_all_uses_with(new)
            block.erase_op(op)
            changed = True
    return changed


def key_of(op: NNOp) -> Key:
    """What two ops must share to give the same values."""
    properties = tuple(sorted(op.properties.items(), key=lambda item: item[0]))
    return op.name, tuple(op.operands), properties, tuple(op.result_types)
