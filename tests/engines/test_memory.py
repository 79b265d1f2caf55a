"""SRAM with each content kept once: it reads, writes, restores and copies as plain bytes would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from build import GRID, NODES, program, spread

from dojocc.runtime.engines.exchange import Moves, covered_nodes
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.engines.memory import Memory, Part, frame
from dojocc.runtime.layout import DimShard, Layout, whole
from dojocc.runtime.program import Image

SIZE = 1024
EVERYONE = np.arange(NODES)


class Plain:
    """The same memory as one array, and random work on both."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.memory = Memory(NODES, SIZE)
        self.bytes = np.zeros((NODES, SIZE), np.uint8)

    def span(self) -> tuple[int, int]:
        low, high = sorted(self.random.integers(0, SIZE + 1, 2).tolist())
        return (low, high) if low < high else (0, SIZE)

    def put(self) -> None:
        """Rows that some nodes hold alike."""
        low, high = self.span()
        of = np.unique(self.random.integers(0, 4, NODES), return_inverse=True)[1]
        grouping = self.memory.groupings.get(of)
        rows = self.random.integers(0, 256, (grouping.count, high - low), np.uint8)
        origin, width = frame(low, high)
        buffer = np.zeros((grouping.count, width), np.uint8)
        buffer[:, low - origin : high - origin] = rows
        self.memory.put(Part(low, high, origin, buffer, grouping, owned=True))
        self.bytes[:, low:high] = rows[grouping.of]

    def store(self) -> None:
        low, high = self.span()
        node = int(self.random.integers(NODES))
        content = self.random.integers(0, 256, high - low, np.uint8)
        self.memory.exclusive(low, high)[node] = content
        self.bytes[node, low:high] = content

    def check(self) -> None:
        low, high = self.span()
        nodes = np.flatnonzero(self.random.integers(0, 2, NODES))
        nodes = nodes if len(nodes) else EVERYONE
        found = self.memory.view(nodes, low, high)
        np.testing.assert_array_equal(
            np.broadcast_to(found, (len(nodes), high - low)), self.bytes[nodes, low:high]
        )


@pytest.mark.parametrize("seed", range(20))
def test_reads_and_writes_are_those_of_plain_bytes(seed: int) -> None:
    plain = Plain(seed)
    for step in plain.random.integers(0, 3, 60).tolist():
        [plain.put, plain.store, plain.check][step]()
    np.testing.assert_array_equal(plain.memory.exclusive(0, SIZE), plain.bytes)


@pytest.mark.parametrize("seed", range(5))
def test_restore_gives_back_what_was_kept(seed: int) -> None:
    plain = Plain(seed)
    for _ in range(8):
        plain.put()
        plain.store()
    plain.memory.keep()
    before = plain.bytes.copy()
    for _ in range(8):
        plain.store()
        plain.put()
    plain.memory.restore()
    plain.bytes = before
    plain.check()
    np.testing.assert_array_equal(plain.memory.exclusive(0, SIZE), before)


def test_bytes_outside_of_memory_read_as_zero() -> None:
    plain = Plain(3)
    plain.store()
    held = plain.memory.read(-64, SIZE + 10)
    whole = held.bytes(-64, SIZE + 10)[held.grouping.of]
    np.testing.assert_array_equal(whole[:, 64 : 64 + SIZE], plain.bytes)
    assert not whole[:, :64].any() and not whole[:, 64 + SIZE :].any()


def test_untouched_memory_takes_no_space() -> None:
    machine = Machine(
        program([["nop"]], images={"x": (0, np.zeros((NODES, 16), np.float32), "FP32")})
    )
    parts = machine.memory[0].parts
    assert sum(part.buffer.nbytes for part in parts) == NODES * 64


def test_a_broadcast_image_is_kept_once() -> None:
    same = np.broadcast_to(np.arange(16, dtype=np.float32), (NODES, 16))
    lists = [{"list": 1, "node": 0, "peer": 0, "peers": NODES, "peer_stride": 1}]
    lists[0] |= {"src": 0, "dst": 256, "bytes": 64}
    built = program([["push 1"]], images={"x": (0, same, "FP32")}, lists=lists)
    machine = Machine(built)
    plan = machine.parser.plan(built.entries, 0)
    machine.parser.move(plan)
    assert plan.bytes == 64 * NODES
    held = machine.memory[0].read(256, 320)
    assert held.grouping.count == 1
    np.testing.assert_array_equal(held.bytes(256, 320).view(np.float32)[0], np.arange(16))


def moves(entries: list[tuple[int, ...]], start: int, stop: int) -> Moves:
    """Pushes from node 0 to node 1: (src, dst, bytes, count0, steps, count1, steps) each."""
    names = ("src", "dst", "bytes", "count0", "src_stride0", "dst_stride0")
    names += ("count1", "src_stride1", "dst_stride1")
    columns = np.array(entries, np.int64).T
    none, one = np.zeros(len(entries), np.int64), np.ones(len(entries), np.int64)
    fields: dict[str, np.ndarray] = dict(zip(names, columns, strict=True))
    return Moves(fields, none, one, one, one, none, start, stop)


@pytest.mark.parametrize(
    ("entries", "covered"),
    [
        ([(0, 64, 16, 4, 32, 16, 1, 0, 0)], True),
        ([(0, 64, 16, 2, 32, 32, 1, 0, 0), (0, 80, 16, 2, 32, 32, 1, 0, 0)], True),
        ([(0, 64, 8, 2, 32, 8, 4, 8, 16)], True),
        ([(0, 64, 16, 4, 32, 16, 1, 0, 0), (0, 72, 16, 1, 0, 0, 1, 0, 0)], True),
        ([(0, 64, 16, 3, 32, 16, 1, 0, 0), (0, 72, 16, 1, 0, 0, 1, 0, 0)], False),
        ([(0, 64, 16, 2, 32, 48, 2, 16, 8)], False),
    ],
)
def test_nodes_that_receive_every_byte_are_known_from_the_entries(
    entries: list[tuple[int, ...]], covered: bool
) -> None:
    found = covered_nodes(moves(entries, 64, 128), NODES)
    assert found.nodes.tolist() == [node == 1 and covered for node in range(NODES)]


def test_one_tensor_in_two_layouts_is_two_contents() -> None:
    """Images may share their name: what is remembered of one must not serve for the other."""
    held, turned = spread(12, "FP32"), across(12)
    made = program([["halt"]], images={"w": (0, np.ones((NODES, 12), np.float32), "FP32")})
    images = [
        Image("w", "grid", 256 * n, layout, "w") for n, layout in enumerate((held, turned, held))
    ]
    machine = Machine(replace(made, images=tuple(images)))
    number = {part.start: part.content for part in machine.memory[0].parts if part.content}
    assert number[0] == number[512] != number[256]


def across(columns: int) -> Layout:
    """Columns of a [6, columns] tensor shared out over the nodes of a row."""
    part = DimShard(("col",), columns // 3, 0, columns // 3, columns // 3)
    return Layout((NODES, columns), (whole(NODES), part), "FP32", GRID)
