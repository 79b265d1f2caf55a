"""SSA dominance: a use stands behind its definition on every path; isolated regions look not out.

xDSL checks neither. Takes a module; gives the violations in order.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Block, BlockArgument, Operation, OpResult, Region, SSAValue
from xdsl.irdl.dominance import DominanceInfo
from xdsl.traits import IsolatedFromAbove


@dataclass(frozen=True)
class Violation:
    """One use that cannot see its value."""

    op: Operation
    operand: int
    why: str


def dominance_violations(root: Operation) -> list[Violation]:
    """All uses below `root` whose definition does not dominate them."""
    found: list[Violation] = []
    checker = _Checker(found)
    for region in root.regions:
        checker.region(region)
    return found


class _Checker:
    """Walks regions in order with the set of values visible so far (state: that set)."""

    def __init__(self, found: list[Violation]) -> None:
        self.found = found
        self.visible: set[SSAValue] = set()

    def region(self, region: Region) -> None:
        """Check a region; its own values are not visible behind it."""
        if len(region.blocks) <= 1:
            for block in region.blocks:
                self._forget(self._block(block))
            return
        # Several blocks: a block sees the values of every block that strictly dominates it.
        info = DominanceInfo(region)
        blocks = list(region.blocks)
        for block in blocks:
            before = [b for b in blocks if b is not block and info.dominates(b, block)]
            outer = [value for each in before for value in _defined(each)]
            self.visible.update(outer)
            self._forget(self._block(block))
            self._forget(outer)

    def _forget(self, values: list[SSAValue]) -> None:
        self.visible.difference_update(values)

    def _block(self, block: Block) -> list[SSAValue]:
        """Check a block; gives the values it made visible."""
        own: list[SSAValue] = list(block.args)
        self.visible.update(own)
        for op in block.ops:
            for number, value in enumerate(op.operands):
                if value not in self.visible:
                    self.found.append(Violation(op, number, _reason(op, value)))
            self._regions(op)
            self.visible.update(op.results)
            own.extend(op.results)
        return own

    def _regions(self, op: Operation) -> None:
        if not op.regions:
            return
        if not op.has_trait(IsolatedFromAbove, value_if_unregistered=False):
            for region in op.regions:
                self.region(region)
            return
        outside, self.visible = self.visible, set()
        for region in op.regions:
            self.region(region)
        self.visible = outside


def _defined(block: Block) -> list[SSAValue]:
    return [*block.args, *(value for op in block.ops for value in op.results)]


def _reason(op: Operation, value: SSAValue) -> str:
    """Why a value is not visible to an op."""
    match value:
        case OpResult():
            home, what = value.op.parent, f"result of {value.op.name}"
        case BlockArgument():
            home, what = value.block, "block argument"
        case _:
            return "is not defined by any op or block"
    if home is None or _root(home) is not _root(op):
        return f"{what}, which is not in the module"
    inner: Operation | None = op
    wall: Operation | None = None
    while inner is not None:
        block = inner.parent
        if block is home:
            return (
                f"{what} outside {wall.name}, whose region is isolated from above"
                if wall
                else (f"{what}, which stands behind this use")
            )
        if block is not None and block.parent is home.parent:
            return f"{what} in a block that does not dominate this one"
        inner = inner.parent_op()
        if inner is not None and inner.has_trait(IsolatedFromAbove, value_if_unregistered=False):
            wall = inner
    holder = home.parent_op()
    return f"{what} inside {holder.name if holder else 'another op'}, seen from outside of it"


def _root(node: Operation | Block) -> Operation | Block:
    """The outermost op (or loose block) around a node."""
    while (parent := node.parent_op()) is not None:
        node = parent
    return node
