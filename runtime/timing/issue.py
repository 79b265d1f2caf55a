"""Cycles of straight-line code and loop nests on one node.

An innermost loop runs at its initiation interval: what its body takes of the decoder and of each
unit's ports (hardware loops and the four-way threading hide latencies inside; assumed), plus the
latency of one iteration at the end. Code around it issues in order, at most `decode_width /
decode_threads` instructions a cycle, each unit as many as it has ports, and waits until the
registers it reads are ready. An accumulating instruction may follow one into the same destination
after its issue interval (assumed: the adders forward).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dojocc.runtime.engines.tree import Block, Call, Loop, Op
from dojocc.runtime.isa.instr import TABLE
from dojocc.runtime.target import Target

WARM = 3  # iterations simulated before the steady interval is read off


@dataclass
class Pipeline:
    """Where the thread stands: time of the last issue, unit slots used at that time, registers'
    ready times.
    """

    target: Target
    now: int = 0
    issued: int = 0
    busy: dict[str, list[int]] = field(default_factory=dict)
    ready: dict[tuple[str, int], int] = field(default_factory=dict)
    done: int = 0

    def __post_init__(self) -> None:
        self.busy = {unit: [0] * count for unit, count in unit_ports(self.target).items()}
        self.width = decode_width(self.target)

    def issue(self, op: Op) -> None:
        """Issue one instruction."""
        row = op.row
        start = self.now
        for operand in row.operands:
            if operand.kind in ("x", "v", "m", "p", "a") and operand.role != "write":
                if operand.role == "mask" and not op.fields[operand.name]:
                    continue
                register = (operand.kind, int(op.fields[operand.name]))
                when = self.ready.get(register, 0)
                if row.reduces is not None and operand.name == "d":
                    when -= max(row.latency - row.issue, 0)
                start = max(start, when)
        slots = self.busy.get(row.unit)
        if slots is not None:
            slot = min(range(len(slots)), key=slots.__getitem__)
            start = max(start, slots[slot])
            slots[slot] = start + row.issue
        if start == self.now and self.issued >= self.width:
            start += 1
        self.issued = self.issued + 1 if start == self.now else 1
        self.now = start
        for operand in row.outputs:
            if operand.kind in ("x", "v", "m", "p", "a"):
                self.ready[(operand.kind, int(op.fields[operand.name]))] = start + row.latency
        self.done = max(self.done, start + max(row.latency, row.issue))

    def skip(self, cycles: int) -> None:
        """Everything moves `cycles` on."""
        self.now += cycles
        self.done += cycles
        self.ready = {register: when + cycles for register, when in self.ready.items()}
        for slots in self.busy.values():
            slots[:] = [when + cycles for when in slots]


def run_block(block: Block, pipeline: Pipeline, counts: dict[Loop, int]) -> None:
    """Issue a pure block."""
    for item in block.items:
        match item:
            case Op():
                pipeline.issue(item)
            case Call():
                run_block(item.body, pipeline, counts)
            case Loop():
                run_loop(item, pipeline, counts)


def run_loop(loop: Loop, pipeline: Pipeline, counts: dict[Loop, int]) -> None:
    """An innermost loop at its initiation interval; others one iteration like the last."""
    count = int(counts[loop])
    ops = straight(loop.body)
    for iteration in range(count):
        start = pipeline.now
        run_block(loop.body, pipeline, counts)
        if ops is not None:
            pipeline.skip((count - 1) * initiation_interval(ops, pipeline.target))
            return
        if iteration + 1 >= WARM:
            pipeline.skip((pipeline.now - start) * (count - iteration - 1))
            return


def straight(block: Block) -> list[Op] | None:
    """The block's instructions, calls followed; None if a loop is inside."""
    ops: list[Op] = []
    for item in block.items:
        if isinstance(item, Loop):
            return None
        inner = straight(item.body) if isinstance(item, Call) else [item]
        if inner is None:
            return None
        ops += inner
    return ops


def initiation_interval(ops: list[Op], target: Target) -> int:
    """Cycles from one iteration of a straight body to the next: the most used resource."""
    ports = unit_ports(target)
    work = dict.fromkeys(ports, 0)
    for op in ops:
        if op.row.unit in work:
            work[op.row.unit] += op.row.issue
    most = max(-(-amount // ports[unit]) for unit, amount in work.items())
    return max(1, most, -(-len(ops) // decode_width(target)))


def unit_ports(target: Target) -> dict[str, int]:
    """Instructions a cycle that each unit takes."""
    node = target.node
    return {
        "scalar": node.scalar_units,
        "address": node.address_units,
        "load": node.load_ports,
        "store": node.store_ports,
        "vector": node.vector_units,
        "matrix": node.matrix_units,
    }


def decode_width(target: Target) -> int:
    """Instructions a cycle that one thread gets of the decoder."""
    return max(1, target.node.decode_width // target.node.decode_threads)


def nest_cycles(loop: Loop, target: Target, counts: dict[Loop, int]) -> int:
    """Cycles from the first issue to the last result of a nest."""
    pipeline = Pipeline(target)
    run_loop(loop, pipeline, counts)
    return pipeline.done


def nest_shares(
    loop: Loop, target: Target, counts: dict[Loop, int], cycles: int
) -> dict[str, float]:
    """Share of each unit that a nest uses over its cycles."""
    ports = unit_ports(target)
    work = dict.fromkeys(ports, 0)
    for name, times in executed(loop, counts).items():
        row = TABLE[name]
        if row.unit in work:
            work[row.unit] += times * row.issue
    return {unit: work[unit] / ports[unit] / max(cycles, 1) for unit in work}


def executed(loop: Loop, counts: dict[Loop, int], times: int = 1) -> dict[str, int]:
    """How often each mnemonic of a nest runs on one node."""
    total: dict[str, int] = {}

    def visit(items, factor: int) -> None:
        for item in items:
            match item:
                case Op():
                    total[item.name] = total.get(item.name, 0) + factor
                case Call():
                    total["call"] = total.get("call", 0) + factor
                    visit(item.body.items, factor)
                    total["ret"] = total.get("ret", 0) + factor
                case Loop():
                    name = "loop" if item.register is None else "loopx"
                    total[name] = total.get(name, 0) + factor
                    visit(item.body.items, factor * int(counts[item]))

    visit(loop.body.items, times * int(counts[loop]))
    return total
