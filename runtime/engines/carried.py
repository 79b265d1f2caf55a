"""Which registers a loop carries from one iteration to the next: the first half of the proof for
lifting.

A register that an iteration reads before writing it, and that the loop also writes, is carried.
That is harmless only if all its uses in the loop are one kind of declared reduction.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dojocc.runtime.engines.tree import Block, Call, Loop, Op

Register = tuple[str, int]
SIDE_STATE = {"mfmt": ("fmt", 0), "dset": ("fmt", 0), "seed": ("key", 0)}
PARTIAL = ("a",)  # address rows set one field: the rest of the generator lives on


@dataclass
class Uses:
    """Registers a piece of code reads before writing (`exposed`), writes (`surely`, or only if a
    loop runs at all), and how it reduces into them.
    """

    exposed: set[Register] = field(default_factory=set)
    writes: set[Register] = field(default_factory=set)
    surely: set[Register] = field(default_factory=set)
    kinds: dict[Register, set[str]] = field(default_factory=dict)
    sums: dict[Register, int] = field(default_factory=dict)
    blockers: list[str] = field(default_factory=list)

    def use(self, register: Register, kind: str) -> None:
        self.kinds.setdefault(register, set()).add(kind)

    def carried(self) -> set[Register]:
        return self.exposed & self.writes

    def why_not(self, exact: bool) -> str | None:
        """Why iterations may not run at once, or None."""
        if self.blockers:
            return self.blockers[0]
        for register in sorted(self.carried()):
            kinds = self.kinds[register]
            if len(kinds) > 1 or "plain" in kinds:
                return f"{register[0]}{register[1]} carries a value from one iteration to the next"
            if exact and self.sums[register] > 1:
                places = self.sums[register]
                return f"{register[0]}{register[1]} sums from {places} places in a fixed order"
        return None


def of_op(op: Op) -> Uses:
    """What one instruction uses."""
    uses = Uses()
    row = op.row
    if op.name in SIDE_STATE:
        uses.blockers.append(f"`{op.name}` inside a loop")
    if op.name == "ldx":
        uses.blockers.append("`ldx` inside a loop: a scalar that may change with the iteration")
    mask = int(op.fields[row.mask.name]) if row.mask is not None else 0
    for operand in row.operands:
        if operand.kind not in ("x", "v", "m", "p", "a"):
            continue
        register = (operand.kind, int(op.fields[operand.name]))
        if register in (("x", 0), ("p", 0)):
            continue
        reducing = row.reduces is not None and operand.name == "d"
        kind = f"{row.reduces} {row.unit} {row.lanes}" if reducing else "plain"
        reads = operand.role in ("read", "both") or (operand.role == "mask" and mask)
        writes = operand.role in ("write", "both")
        if writes and (mask or (operand.kind in PARTIAL and op.name != "aclr")):
            reads = True
        if reads:
            uses.exposed.add(register)
        if writes:
            uses.writes.add(register)
            uses.surely.add(register)
        if reads or writes:
            uses.use(register, kind)
        if reducing:
            uses.sums[register] = uses.sums.get(register, 0) + 1
    return uses


def join(first: Uses, second: Uses) -> None:
    """Append `second` to `first` in program order."""
    first.exposed |= second.exposed - first.surely
    first.writes |= second.writes
    first.surely |= second.surely
    for register, kinds in second.kinds.items():
        first.kinds.setdefault(register, set()).update(kinds)
    for register, count in second.sums.items():
        first.sums[register] = first.sums.get(register, 0) + count
    first.blockers += second.blockers


def of_block(block: Block) -> Uses:
    """What a block uses, calls followed. A loop that may run zero times hides no later reads behind
    its writes.
    """
    total = Uses()
    if not block.pure:
        total.blockers.append("synchronisation or transfers inside the loop")
    for item in block.items:
        match item:
            case Op():
                join(total, of_op(item))
            case Call():
                join(total, of_block(item.body))
            case Loop():
                join(total, of_loop(item))
    return total


def of_loop(loop: Loop) -> Uses:
    """What a loop uses as seen from outside; remembered with the loop."""
    if "uses" not in loop.cache:
        inner = of_block(loop.body)
        if not loop.count:
            inner.surely = set()
        if loop.register is not None:
            outer = Uses(exposed={("x", loop.register)})
            outer.use(("x", loop.register), "plain")
            join(outer, inner)
            inner = outer
        loop.cache["uses"] = inner
    return loop.cache["uses"]


def as_it_runs(loop: Loop, counts: dict[Loop, int]) -> Uses:
    """What a loop uses with these trip counts: loops that run zero times use nothing."""
    total = Uses()

    def visit(item: Op | Loop | Call) -> None:
        match item:
            case Op():
                join(total, of_op(item))
            case Call():
                for part in item.body.items:
                    visit(part)
            case Loop() if counts[item]:
                for part in item.body.items:
                    visit(part)
            case _:
                pass

    visit(loop)
    return total


def all_loops(loop: Loop) -> list[Loop]:
    """The loop and every loop inside it, calls followed, in program order."""
    found = [loop]
    stack = list(reversed(loop.body.items))
    while stack:
        item = stack.pop()
        match item:
            case Loop():
                found.append(item)
                stack.extend(reversed(item.body.items))
            case Call():
                stack.extend(reversed(item.body.items))
            case _:
                pass
    return found
