"""The registers of one thread on a group of nodes that run in step.

Scalars are a Python int while all nodes of the group agree, else an int64 array [nodes]; vector
registers are [nodes, 16] of 4-byte items, accumulators [nodes, 8, 8] float32, predicates bool
[nodes, 16]; the vector engine keeps one row of them where all nodes hold the same.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import overload

import numpy as np

from dojocc.runtime.formats import FORMATS

LEVELS = 6
NO_LIMIT = 1 << 62  # a bound that is off, where it is on for other nodes of the group
Scalar = int | np.ndarray


@dataclass(frozen=True)
class Descriptor:
    """A format descriptor: format name and bias (None where the format fixes it)."""

    fmt: str
    bias: int | None = None


@dataclass
class Generator:
    """One address generator (see isa/address.py for the address and coordinate rules)."""

    base: Scalar = 0
    strides: list[Scalar] = field(default_factory=lambda: [0] * LEVELS)
    pitch: int = 0
    pad: float = 0.0
    y0: Scalar = 0
    x0: Scalar = 0
    y_limit: Scalar | None = None
    x_limit: Scalar | None = None
    y_strides: list[int] = field(default_factory=lambda: [0] * LEVELS)
    x_strides: list[int] = field(default_factory=lambda: [0] * LEVELS)
    granule_step: int = 0
    lane_step: int = 0

    def copy(self) -> Generator:
        """A generator of its own with the same fields."""
        other = copy.copy(self)
        other.strides = list(self.strides)
        other.y_strides, other.x_strides = list(self.y_strides), list(self.x_strides)
        return other


Registers = set[tuple[str, int]]
LANES = ("v", "p", "m")
VARYING = ("base", "y0", "x0", "y_limit", "x_limit")


def default_descriptors() -> list[Descriptor]:
    """Descriptor i holds format number i with its default bias; the rest hold FP32."""
    names = list(FORMATS)
    return [Descriptor(names[i] if i < len(names) else "FP32") for i in range(16)]


def default_matrix_formats() -> tuple[Descriptor, Descriptor]:
    return Descriptor("BF16"), Descriptor("BF16")


@dataclass(eq=False)
class Thread:
    """Registers of thread `number` of class `cls` for `nodes` (indexes in the class, ascending)."""

    cls: int
    number: int
    nodes: np.ndarray
    x: list[Scalar] = field(default_factory=lambda: [0] * 32)
    v: dict[int, np.ndarray] = field(default_factory=dict)
    p: dict[int, np.ndarray] = field(default_factory=dict)
    m: dict[int, np.ndarray] = field(default_factory=dict)
    a: list[Generator] = field(default_factory=lambda: [Generator() for _ in range(16)])
    formats: list[Descriptor] = field(default_factory=default_descriptors)
    matrix_formats: tuple[Descriptor, Descriptor] = field(default_factory=default_matrix_formats)
    counters: list[int] = field(default_factory=lambda: [0] * LEVELS)
    key: Scalar = 0
    mark: int = -1

    def vector(self, number: int) -> np.ndarray:
        value = self.v.get(number)
        return np.zeros((len(self.nodes), 16), np.float32) if value is None else value

    def predicate(self, number: int) -> np.ndarray:
        if number == 0:
            return np.ones((1, 16), bool)
        value = self.p.get(number)
        return np.zeros((len(self.nodes), 16), bool) if value is None else value

    def accumulator(self, number: int) -> np.ndarray:
        value = self.m.get(number)
        return np.zeros((len(self.nodes), 8, 8), np.float32) if value is None else value

    def take(
        self, where: np.ndarray, writes: Registers | None = None, reads: Registers | None = None
    ) -> Thread:
        """A copy for the nodes at positions `where`.

        With `writes` (the registers that will be set) the copy shares the generators that are
        neither set nor differ by node; with `reads` it has only those lanes.
        """
        part = copy.copy(self)
        part.nodes = self.nodes[where]
        part.x = [_take(value, where) for value in self.x]
        part.key = _take(self.key, where)
        for name in LANES:
            lanes = getattr(self, name).items()
            kept = {k: lanes_at(v, where) for k, v in lanes if reads is None or (name, k) in reads}
            setattr(part, name, kept)
        part.a = [
            g
            if writes is not None and ("a", number) not in writes and not _varies(g)
            else _take_generator(g, where)
            for number, g in enumerate(self.a)
        ]
        part.formats = list(self.formats)
        part.counters = list(self.counters)
        return part

    def put(self, where: np.ndarray, part: Thread, writes: Registers) -> None:
        """Write back the registers `writes` of `part`, a `take` of the same positions."""
        count = len(self.nodes)
        for kind, number in sorted(writes):
            if kind == "x":
                self.x[number] = _put(self.x[number], part.x[number], where, count)
            elif kind == "a":
                _put_generator(self.a[number], part.a[number], where, count)
        self.put_lanes(where, part, writes)
        self.key = _put(self.key, part.key, where, count)
        self.formats, self.matrix_formats = list(part.formats), part.matrix_formats
        self.mark = part.mark

    def put_lanes(self, where: np.ndarray, part: Thread, writes: Registers) -> None:
        """`put` for the lanes among `writes` alone."""
        count = len(self.nodes)
        wholes = {"v": self.vector, "p": self.predicate, "m": self.accumulator}
        for kind, number in sorted(writes):
            if kind in LANES and number in getattr(part, kind):
                value = getattr(part, kind)[number]
                whole = np.array(np.broadcast_to(wholes[kind](number), (count, *value.shape[1:])))
                whole[where] = value if whole.dtype == value.dtype else value.view(whole.dtype)
                getattr(self, kind)[number] = whole


def lanes_at(value: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The lanes of some nodes; one row where all nodes hold the same."""
    return value if len(value) == 1 else value[where]


def _varies(generator: Generator) -> bool:
    """True when a field of the generator differs by node."""
    array = np.ndarray
    return (
        isinstance(generator.base, array)
        or isinstance(generator.y0, array)
        or isinstance(generator.x0, array)
        or isinstance(generator.y_limit, array)
        or isinstance(generator.x_limit, array)
        or array in map(type, generator.strides)
    )


@overload
def _take(value: Scalar, where: np.ndarray) -> Scalar: ...
@overload
def _take(value: None, where: np.ndarray) -> None: ...
def _take(value: Scalar | None, where: np.ndarray) -> Scalar | None:
    if not isinstance(value, np.ndarray):
        return value
    part = value[where]
    return int(part[0]) if len(part) and (part == part[0]).all() else part


@overload
def _put(mine: Scalar, theirs: Scalar, where: np.ndarray, count: int) -> Scalar: ...
@overload
def _put(
    mine: Scalar | None, theirs: Scalar | None, where: np.ndarray, count: int
) -> Scalar | None: ...
def _put(
    mine: Scalar | None, theirs: Scalar | None, where: np.ndarray, count: int
) -> Scalar | None:
    if mine is None and theirs is None:
        return None
    mine = NO_LIMIT if mine is None else mine
    theirs = NO_LIMIT if theirs is None else theirs
    if not isinstance(mine, np.ndarray) and not isinstance(theirs, np.ndarray) and mine == theirs:
        return mine
    whole = np.array(np.broadcast_to(np.asarray(mine, np.int64), (count,)))
    whole[where] = theirs
    return int(whole[0]) if (whole == whole[0]).all() else whole


def _take_generator(generator: Generator, where: np.ndarray) -> Generator:
    part = copy.copy(generator)
    for name in VARYING:
        setattr(part, name, _take(getattr(generator, name), where))
    part.strides = [_take(value, where) for value in generator.strides]
    part.y_strides, part.x_strides = list(generator.y_strides), list(generator.x_strides)
    return part


def _put_generator(mine: Generator, theirs: Generator, where: np.ndarray, count: int) -> None:
    for name in VARYING:
        setattr(mine, name, _put(getattr(mine, name), getattr(theirs, name), where, count))
    mine.strides = [
        _put(a, b, where, count) for a, b in zip(mine.strides, theirs.strides, strict=True)
    ]
    for name in ("pitch", "pad", "granule_step", "lane_step"):
        setattr(mine, name, getattr(theirs, name))
    mine.y_strides, mine.x_strides = list(theirs.y_strides), list(theirs.x_strides)
