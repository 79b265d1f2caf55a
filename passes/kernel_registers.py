"""Registers of a tile.kernel: which vector register, accumulator or predicate holds each value.

Positions count the kernel's ops in the order of the text, loops opening and closing included. A
value is held from its op to its last use; one made before a loop and used inside it, to the loop's
end.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Attribute, Block, Operation, SSAValue

from dojocc.dialects.location import describe
from dojocc.dialects.tile import AccType, ForOp, KernelOp, PredType, RawType, VecType
from dojocc.passes.solve.intervals import Crowded, assign
from dojocc.runtime.errors import UnsupportedError

BANKS: dict[str, tuple[range, str]] = {
    "v": (range(32), "vector registers"),
    "m": (range(8), "matrix accumulators"),
    "p": (range(1, 8), "predicates"),
}
"""Registers a kernel may use, by kind; p0 always holds all lanes."""


@dataclass(frozen=True)
class Span:
    """Positions of a loop: its opening and its end."""

    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Positions:
    """Where every op of a kernel stands, and the span of every loop."""

    of: dict[Operation, int]
    loops: dict[ForOp, Span]


def positions(kernel: KernelOp) -> Positions:
    """Number the kernel's ops."""
    of: dict[Operation, int] = {}
    loops: dict[ForOp, Span] = {}

    def visit(block: Block, count: int) -> int:
        for op in block.ops:
            of[op] = count
            count += 1
            if isinstance(op, ForOp):
                start = count - 1
                count = visit(op.body.block, count) + 1
                loops[op] = Span(start, count - 1)
        return count

    visit(kernel.body.block, 0)
    return Positions(of, loops)


def bank_of(kind: Attribute) -> str | None:
    """The kind of register that holds values of a type."""
    match kind:
        case VecType() | RawType():
            return "v"
        case AccType():
            return "m"
        case PredType():
            return "p"
        case _:
            return None


def live_range(value: SSAValue, where: Positions) -> tuple[int, int]:
    """[definition, last use), the last use being the end of any loop that the definition is outside
    of."""
    owner = value.owner
    assert isinstance(owner, Operation)
    start = where.of[owner]
    end = start + 1
    for use in value.uses:
        end = max(end, use_position(use.operation, owner.parent, where))
    return start, end


def use_position(user: Operation, home: Block | None, where: Positions) -> int:
    """Where a use counts for a value made in block `home`."""
    last = where.of[user]
    current: Operation | None = user
    while current is not None and current.parent is not home:
        current = current.parent_op()
        if isinstance(current, ForOp):
            last = where.loops[current].end
    return last


def assign_registers(kernel: KernelOp, where: Positions) -> dict[SSAValue, int]:
    """The register number of every value; UnsupportedError where a bank does not suffice."""
    banks: dict[str, list[SSAValue]] = {kind: [] for kind in BANKS}
    for op in where.of:
        for value in op.results:
            kind = bank_of(value.type)
            if kind is not None:
                banks[kind].append(value)
    result: dict[SSAValue, int] = {}
    for kind, values in banks.items():
        places, meaning = BANKS[kind]
        try:
            chosen = assign([live_range(value, where) for value in values], places)
        except Crowded as crowded:
            raise too_many(kernel, crowded, meaning) from crowded
        result.update(zip(values, chosen, strict=True))
    return result


def too_many(kernel: KernelOp, crowded: Crowded, meaning: str) -> UnsupportedError:
    return UnsupportedError(
        f"kernel '{kernel.sym_name.data}' holds more values at once than there are {meaning}",
        where=describe(kernel),
        numbers=f"{len(crowded.holders)} at position {crowded.position}, have {crowded.places}",
        help="split the op into smaller ones",
    )
