"""Scalar registers, address generators and predicates of one thread, on all nodes of a class.

A value is an int while all nodes agree, else int64 [nodes]. What computed data decides is no value:
it raises Undecidable.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace

import numpy as np

from dojocc.runtime.engines.tree import Op
from dojocc.runtime.formats import FORMATS
from dojocc.runtime.verify.footprint import Box, Window

Value = int | np.ndarray
LEVELS = 6
LANES = 16


class Undecidable(Exception):
    """Control or an address depends on what the program computes; the text says what."""


@dataclass
class Generator:
    """The fields of an address generator that decide which bytes it reaches."""

    base: Value = 0
    strides: list[Value] = field(default_factory=lambda: [0] * LEVELS)
    pitch: int = 0
    start: dict[str, Value] = field(default_factory=lambda: {"y": 0, "x": 0})
    limit: dict[str, Value | None] = field(default_factory=lambda: {"y": None, "x": None})
    steps: dict[str, list[int]] = field(
        default_factory=lambda: {"y": [0] * LEVELS, "x": [0] * LEVELS}
    )
    granule_step: int = 0
    lane_step: int = 0


@dataclass(frozen=True)
class LaneMask:
    """What `pinb` left in a predicate: the generator then, the granule, and the open loops."""

    generator: Generator
    first: int
    loops: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Touch:
    """The bytes of one instruction: nodes, the base on each, and the box above the base."""

    nodes: np.ndarray
    bases: np.ndarray
    box: Box


def default_formats() -> list[str]:
    names = list(FORMATS)
    return [names[i] if i < len(names) else "FP32" for i in range(16)]


@dataclass
class Registers:
    """The state that decides addresses and control. `active` masks nodes within uneven loops."""

    nodes: int
    identity: np.ndarray
    x: list[Value] = field(default_factory=lambda: [0] * 32)
    a: list[Generator] = field(default_factory=lambda: [Generator() for _ in range(16)])
    formats: list[str] = field(default_factory=default_formats)
    masks: dict[int, LaneMask | None] = field(default_factory=dict)
    counters: list[int] = field(default_factory=lambda: [0] * LEVELS)
    active: np.ndarray | None = None

    def kept(self, new: Value, old: Value | None) -> Value:
        """`new`, but the old value on nodes that are not active."""
        value = new
        if self.active is not None:
            value = np.where(self.active, new, 0 if old is None else old)
        if isinstance(value, np.ndarray):
            value = np.broadcast_to(value, (self.nodes,)).astype(np.int64)
            return int(value[0]) if self.nodes and (value == value[0]).all() else value
        return int(value)

    def set_scalar(self, number: int, value: Value) -> None:
        if number:
            self.x[number] = self.kept(value, self.x[number])

    def scalar(self, op: Op) -> None:
        """A scalar instruction, by the row's own body."""
        row, arguments = op.row, []
        for operand in row.inputs:
            given = op.fields[operand.name]
            arguments.append(self.x[int(given)] if operand.kind == "x" else given)
        if row.implicit:
            arguments.append(self.identity)
        result = np.asarray(row.body(*arguments), np.int64)
        target = int(op.fields[row.outputs[0].name])
        self.set_scalar(target, result if result.ndim else int(result))

    def address(self, op: Op) -> None:
        """An instruction that sets fields of a generator."""
        fields, name = op.fields, op.name
        g = self.a[int(fields["d"])]
        number = 0 if name == "apad" else int(fields.get("n", 0))
        match name:
            case "aclr":
                self.a[int(fields["d"])] = Generator()
            case "abase":
                g.base = self.kept(self.x[int(fields["a"])], g.base)
            case "abasei":
                g.base = self.kept(number, g.base)
            case "aadd":
                g.base = self.kept(g.base + self.x[int(fields["a"])], g.base)
            case "aaddi":
                g.base = self.kept(g.base + number, g.base)
            case "astr":
                level = int(fields["L"])
                g.strides[level] = self.kept(number, g.strides[level])
            case "astrx":
                level = int(fields["L"])
                g.strides[level] = self.kept(self.x[int(fields["a"])], g.strides[level])
            case "apitch":
                g.pitch = number
            case "ay" | "ax":
                axis = name[1]
                g.start[axis] = self.kept(self.x[int(fields["a"])], g.start[axis])
                g.limit[axis] = self.kept(self.x[int(fields["b"])], g.limit[axis])
            case "aystr" | "axstr":
                g.steps[name[1]][int(fields["L"])] = number
            case "astep":
                g.granule_step, g.lane_step = int(fields["granule"]), int(fields["lane"])
            case "apad":
                pass
            case _:
                raise Undecidable(f"`{name}` is no address instruction that is known here")

    def predicate(self, op: Op, loops: tuple[int, ...]) -> None:
        """A predicate register is set: known for `pinb`, data for all others."""
        mask = None
        if op.name == "pinb":
            generator = copy.deepcopy(self.a[int(op.fields["a"])])
            mask = LaneMask(generator, int(op.fields["f"]), loops)
        self.masks[int(op.fields[op.row.outputs[0].name])] = mask

    # -- footprints ----------------------------------------------------------------------------

    def touches(
        self,
        op: Op,
        loops: tuple[tuple[int, Value], ...],
        reach: tuple[int, int] | None = None,
    ) -> tuple[list[Touch], bool]:
        """Bytes of a memory instruction under open `loops` (level, count), and whether all of them
        are surely touched. `reach`: the lowest and highest index of an indexed one."""
        access, g = op.access, self.a[int(op.fields["a"])]
        item = 1 if access.raw else FORMATS[self.formats[int(op.fields["fmt"])]].bytes
        elements = int(access.granule_bytes or 0) if access.raw else access.lanes_per_granule
        first = int(op.fields.get("f", 0))
        levels = tuple(level for level, _ in loops)
        box = {
            "counts": [count for _, count in loops],
            "strides": [g.strides[level] for level in levels],
            "granules": access.granules,
            "pitch": g.pitch,
            "elements": elements,
            "item": item,
        }
        base = self.at(g.base, g.strides, levels) + first * g.pitch
        if access.indexed:
            low, high = reach or (0, 0)
            box |= {"granules": 1, "pitch": 0, "elements": high - low + 1}
            return self.grouped(base + low * item, box, []), False
        windows = []
        if access.padded and access.kind == "load":
            lane = 0 if access.raw else g.lane_step
            windows += self.windows(g, levels, first * g.granule_step, g.granule_step, lane)
        mask, sure = self.mask_of(op, levels)
        if mask is not None:
            start = mask.first * mask.generator.granule_step
            step = mask.generator.lane_step
            windows += self.windows(mask.generator, levels, start, step * elements, step)
        return self.grouped(base, box, windows), sure

    def mask_of(self, op: Op, levels: tuple[int, ...]) -> tuple[LaneMask | None, bool]:
        """The lanes that a predicate selects, if `pinb` set it; and whether they are known."""
        if op.row.mask is None or int(op.fields[op.row.mask.name]) == 0:
            return None, True
        mask = self.masks.get(int(op.fields[op.row.mask.name]))
        if mask is None or mask.loops != levels[: len(mask.loops)]:
            return None, False
        return mask, True

    def at(self, start: Value, steps: list, levels: tuple[int, ...]) -> Value:
        """A linear function of the counters, without the part of the open `levels`."""
        for level in range(LEVELS):
            if level not in levels and self.counters[level]:
                start = start + steps[level] * self.counters[level]
        return start

    def windows(
        self, g: Generator, levels: tuple[int, ...], shift: int, granule: int, lane: int
    ) -> list[dict]:
        found = []
        for axis, added, by_granule, by_lane in (("y", 0, 0, 0), ("x", shift, granule, lane)):
            limit = g.limit[axis]
            if limit is None:
                continue
            start = self.at(g.start[axis], g.steps[axis], levels) + added
            steps = tuple(g.steps[axis][level] for level in levels)
            found.append(
                {"start": start, "limit": limit, "steps": steps, "by": (by_granule, by_lane)}
            )
        return found

    def grouped(self, base: Value, box: dict, windows: list[dict]) -> list[Touch]:
        """One Touch for each set of nodes with the same box."""
        values: list[Value] = [*box["counts"], *box["strides"]]
        values += [window[name] for window in windows for name in ("start", "limit")]
        nodes = np.arange(self.nodes) if self.active is None else np.flatnonzero(self.active)
        bases = np.broadcast_to(np.asarray(base, np.int64), (self.nodes,))
        varying = [number for number, value in enumerate(values) if isinstance(value, np.ndarray)]
        if not varying:
            made = self.box(box, windows, values)
            return [Touch(nodes, bases[nodes], made)] if len(nodes) else []
        table = np.stack([np.asarray(values[number])[nodes] for number in varying], 1)
        _, first, member = np.unique(table, axis=0, return_index=True, return_inverse=True)
        result = []
        for group, row in enumerate(first.tolist()):
            own = list(values)
            for column, number in enumerate(varying):
                own[number] = int(table[row, column])
            some = nodes[member.reshape(-1) == group]
            result.append(Touch(some, bases[some], self.box(box, windows, own)))
        return result

    def box(self, box: dict, windows: list[dict], values: list) -> Box:
        depth = len(box["counts"])
        bounds = [
            Window(
                int(values[2 * depth + 2 * number]),
                window["steps"],
                int(values[2 * depth + 2 * number + 1]),
                *window["by"],
            )
            for number, window in enumerate(windows)
        ]
        counts = tuple(max(int(count), 0) for count in values[:depth])
        made = Box(
            counts,
            tuple(int(stride) for stride in values[depth : 2 * depth]),
            box["granules"],
            box["pitch"],
            box["elements"],
            box["item"],
        )
        return replace(made, windows=tuple(w for w in bounds if not whole(w, made)))


def whole(window: Window, box: Box) -> bool:
    """True when the window leaves nothing out."""
    low = high = window.start
    moves = [*zip(box.counts, window.steps, strict=True), (box.granules, window.granule_step)]
    for count, step in [*moves, (box.elements, window.lane_step)]:
        low += min(step * (count - 1), 0)
        high += max(step * (count - 1), 0)
    return low >= 0 and high < window.limit
