"""SRAM a sharding plan needs on each node: what stays, what lives at once; the report."""

from __future__ import annotations

from dataclasses import dataclass, replace

from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Operation, SSAValue

from dojocc.dialects.location import get_location
from dojocc.passes.errors import UNTRIED
from dojocc.passes.shard_copy import Copy, Plan, copy_sources
from dojocc.passes.shard_work import is_constant
from dojocc.runtime.errors import DoesNotFit
from dojocc.runtime.layout import Layout

LISTED = 6  # tensors named in a report
ALIGNMENT = 64


@dataclass(frozen=True)
class Buffer:
    """One buffer: named for its tensor; live over [first, last] in op order."""

    name: str
    layout: Layout
    first: int
    last: int
    resident: bool

    @property
    def bytes(self) -> int:
        return -(-self.layout.bytes // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class Memory:
    """Bytes a node: constants stay all the time; `peak` is all that lives at the worst op."""

    buffers: tuple[Buffer, ...]
    resident: int
    peak: int
    worst: int  # position of the worst op
    at: str  # what a user calls it


def memory(plan: Plan, block: Block) -> Memory:
    """Sum what a plan's buffers take."""
    buffers = tuple(_buffers(plan, block))
    ops = list(block.ops)
    length = len(ops) + 1
    steps = [0] * (length + 1)
    for buffer in buffers:
        if not buffer.resident:
            steps[buffer.first] += buffer.bytes
            steps[buffer.last + 1] -= buffer.bytes
    resident = sum(buffer.bytes for buffer in buffers if buffer.resident)
    live, peak, worst = 0, 0, 0
    for position, change in enumerate(steps):
        live += change
        if live > peak:
            peak, worst = live, position
    at = get_location(ops[min(worst, len(ops) - 1)]) or "the outputs"
    return Memory(buffers, resident, resident + peak, worst, at)


def _buffers(plan: Plan, block: Block) -> list[Buffer]:
    position = {op: number for number, op in enumerate(block.ops)}
    first: dict[SSAValue | Copy, int] = {}
    last: dict[SSAValue | Copy, int] = {}

    def used(key: SSAValue | Copy, where: int) -> None:
        first.setdefault(key, where)
        last[key] = max(last.get(key, where), where)

    for value in plan.homes:
        used(value, position[value.owner] if isinstance(value.owner, Operation) else 0)
    end = len(position)
    for op, reads in plan.reads.items():
        where = end if isinstance(op, ReturnOp) else position[op]
        for value, copy in zip(op.operands, reads, strict=True):
            if copy is None:
                used(value, where)
                continue
            if copy not in first:
                for base in copy_sources(copy):
                    used(base, position[op])
            stream = copy.stream
            if stream is not None and stream.via is not None:
                loaded = replace(copy, layout=stream.via, zero_dims=())
                used(loaded, stream.load)
                used(loaded, where)
                used(copy, stream.move)
            elif stream is not None:
                used(copy, stream.load)
            used(copy, where)
    buffers = []
    for key, begin in first.items():
        value = key.value if isinstance(key, Copy) else key
        layout = key.layout if isinstance(key, Copy) else plan.homes[key]
        resident = key.image if isinstance(key, Copy) else is_constant(value)
        buffers.append(Buffer(name_of(value), layout, begin, last[key], resident))
    return buffers


def name_of(value: SSAValue) -> str:
    """What a user calls a value: its resource, its node, or its name in the IR."""
    owner = value.owner
    if isinstance(owner, Operation):
        resource = getattr(getattr(owner, "p", None), "resource", None)
        text = resource or get_location(owner)
        if text:
            return str(text)
    return value.name_hint or "an input"


def does_not_fit(found: Memory, budget: int, nodes: int, streamed: int | None = None) -> DoesNotFit:
    """The error: which tensors, largest first, with bytes a node, and by how much it is over.

    `streamed`: the peak with constants in DRAM, where that was tried.
    """
    live = [
        buffer
        for buffer in found.buffers
        if buffer.resident or buffer.first <= found.worst <= buffer.last
    ]
    live.sort(key=lambda buffer: (-buffer.bytes, buffer.name))
    listed = ", ".join(
        f"{buffer.name} {buffer.bytes:,} ({'constant' if buffer.resident else 'activation'})"
        for buffer in live[:LISTED]
    )
    more = f", and {len(live) - LISTED} more" if len(live) > LISTED else ""
    return DoesNotFit(
        f"the model does not fit the SRAM of {nodes} nodes",
        where=f"at {found.at}; largest tensors, bytes a node: {listed}{more}",
        numbers=(
            f"need {found.peak:,} B a node (constants {found.resident:,},"
            f" activations {found.peak - found.resident:,}), have {budget:,}:"
            f" {found.peak - budget:,} B too much"
            + ("" if streamed is None else f"; with constants in DRAM still {streamed:,} B")
        ),
        help=UNTRIED,
    )
