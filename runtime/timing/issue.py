"""Cycles of straight-line code and loop nests on one node: in-order issue, unit ports, latencies.

The model: one thread issues in order, at most `decode_width / decode_threads` instructions a cycle,
each unit as many as it has ports; an instruction waits until the registers it reads are ready. An
accumulating instruction may follow one into the same destination after its issue interval (assumed:
the adders forward). Hardware loops cost no bubble (assumed).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dojocc.runtime.engines.tree import Block, Call, Loop, Op
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
        node = self.target.node
        ports = {
            "scalar": node.scalar_units,
            "address": node.address_units,
            "load": node.load_ports,
            "store": node.store_ports,
            "vector": node.vector_units,
            "matrix": node.matrix_units,
        }
        self.busy = {unit: [0] * count for unit, count in ports.items()}
        self.width = max(1, node.decode_width // node.decode_threads)

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
    """Some iterations one by one, the rest at the steady interval."""
    count = int(counts[loop])
    before = pipeline.now
    for iteration in range(count):
        start = pipeline.now
        run_block(loop.body, pipeline, counts)
        interval = pipeline.now - start
        if iteration + 1 >= WARM:
            pipeline.skip(max(interval, 0) * (count - iteration - 1))
            return
        before = max(before, start)


def nest_cycles(loop: Loop, target: Target, counts: dict[Loop, int]) -> int:
    """Cycles from the first issue to the last result of a nest."""
    pipeline = Pipeline(target)
    run_loop(loop, pipeline, counts)
    return pipeline.done


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
