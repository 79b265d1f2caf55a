"""Collectives on plain data: sums are sums whatever the grid, size, algorithm and order of events,
and no node receives more than it must."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dojocc.dialects.interpret_collective import run_adds, run_collective, run_moves
from dojocc.passes.solve.collective_axes import Axis, Phase
from dojocc.passes.solve.collective_schedule import schedule
from dojocc.passes.solve.collectives import (
    LINE,
    OPERAND,
    SHARD,
    STAGING,
    WORK,
    Chain,
    Schedule,
    flat_chains,
    natural_weights,
)

F32 = np.dtype(np.float32)
GRIDS = st.tuples(st.integers(1, 5), st.integers(1, 6)).filter(lambda grid: prod(grid) > 1)
KINDS = st.tuples(st.booleans(), st.booleans())


def axes_of(rows: int, cols: int) -> tuple[Axis, Axis]:
    return Axis(rows, cols), Axis(cols, 1)


def values(nodes: int, elements: int, seed: int) -> np.ndarray:
    """Whole numbers, whose sums are exact in any order."""
    return np.random.default_rng(seed).integers(-99, 99, (nodes, elements)).astype(np.float32)


def buffers(operand: np.ndarray, whole: int, staging: int, shard: int = LINE) -> list[np.ndarray]:
    """By number; all but the operand full of NaN, so that what is not written shows."""
    nodes = len(operand)
    sizes = {WORK: whole, STAGING: max(staging, LINE), SHARD: shard}
    rest = [np.full((nodes, sizes[n] // 4), np.nan, np.float32) for n in (WORK, STAGING, SHARD)]
    return [np.ascontiguousarray(each).view(np.uint8) for each in (operand, *rest)]


def all_reduce(nodes: int, lines: int, orders: list[list[Phase]]) -> None:
    data = values(nodes, lines * LINE // 4, 0)
    found = schedule(flat_chains(orders, lines * LINE), nodes, True, True)
    held = buffers(data, lines * LINE, found.staging)
    run_collective(found.moves, found.adds, held, "sum", F32)
    assert (held[WORK].view(F32) == data.sum(0)).all()
    assert (held[OPERAND].view(F32) == data).all()


@given(GRIDS, st.integers(1, 70), st.lists(st.tuples(st.booleans(), KINDS), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_all_reduce_gives_every_node_the_sum(grid, lines, chains) -> None:
    first, second = axes_of(*grid)
    orders = []
    for turned, kinds in chains:
        phases = [Phase(first, kinds[0]), Phase(second, kinds[1])]
        orders.append(phases[::-1] if turned else phases)
    all_reduce(prod(grid), lines, orders)


def test_one_axis_of_the_grid_leaves_the_others_apart() -> None:
    rows, cols, elements = 3, 5, 48
    data = values(15, elements, 1)
    found = schedule(flat_chains([[Phase(Axis(cols, 1))]], elements * 4), 15, True, True)
    held = buffers(data, elements * 4, found.staging)
    run_collective(found.moves, found.adds, held, "sum", F32)
    want = data.reshape(rows, cols, elements).sum(1, keepdims=True)
    assert (held[WORK].view(F32).reshape(rows, cols, elements) == want).all()


def sharded(
    axes: tuple[Axis, ...], kinds: tuple[bool, ...], slot: int, limit: int, outer: int, turned: bool
) -> Chain:
    """A chain over a dimension of `limit` bytes a row, in `outer` rows."""
    phases = [Phase(axis, kind) for axis, kind in zip(axes, kinds, strict=True)]
    weights = list(natural_weights(phases))
    if turned:
        phases, weights = phases[::-1], weights[::-1]
    return Chain(
        tuple(phases),
        tuple(weights),
        slot,
        limit,
        outer=outer,
        outer_stride=-(-limit // LINE) * LINE,
        own_stride=slot,
    )


@given(GRIDS, KINDS, st.integers(1, 3), st.integers(1, 3), st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_all_gather_gives_every_node_all_shards(grid, kinds, run, outer, short) -> None:
    nodes, slot = prod(grid), run * 16
    limit = max(nodes * slot - short * 16, 16)
    chain = sharded(axes_of(*grid), kinds, slot, limit, outer, turned=False)
    pitch = chain.outer_stride
    whole = np.random.default_rng(0).integers(0, 255, (outer, pitch)).astype(np.uint8)
    padded = np.zeros((outer, nodes * slot), np.uint8)
    padded[:, :limit] = whole[:, :limit]
    shards = padded.reshape(outer, nodes, slot).transpose(1, 0, 2).reshape(nodes, outer * slot)
    found = schedule([chain], nodes, False, True)
    held = [np.ascontiguousarray(shards), np.zeros((nodes, outer * pitch), np.uint8)]
    run_collective(found.moves, found.adds, held, "sum", F32)
    got = held[WORK].reshape(nodes, outer, pitch)
    assert (got[:, :, :limit] == whole[:, :limit]).all() and not got[:, :, limit:].any()


@given(GRIDS, KINDS, st.integers(1, 3), st.booleans(), st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_reduce_scatter_gives_every_node_its_shard(grid, kinds, run, turned, short) -> None:
    nodes, slot = prod(grid), run * LINE
    limit = nodes * slot if turned else max(nodes * slot - short * LINE, LINE)
    chain = sharded(axes_of(*grid), kinds, slot, limit, 1, turned)
    data = values(nodes, limit // 4, 3)
    found = schedule([chain], nodes, True, False)
    held = buffers(data, limit, found.staging, slot)
    run_collective(found.moves, found.adds, held, "sum", F32)
    total = np.full(nodes * slot // 4, np.nan, np.float32)
    total[: limit // 4] = data.sum(0)
    assert np.array_equal(held[SHARD].view(F32).reshape(-1), total, equal_nan=True)


@pytest.mark.parametrize(("kind", "want"), [("max", np.max), ("min", np.min)])
def test_other_reductions(kind: str, want) -> None:
    data = values(6, 32, 4)
    phases = [Phase(Axis(2, 3)), Phase(Axis(3, 1), ring=False)]
    found = schedule(flat_chains([phases], 128), 6, True, True)
    held = buffers(data, 128, found.staging)
    run_collective(found.moves, found.adds, held, kind, F32)
    assert (held[WORK].view(F32) == want(data, axis=0)).all()


@pytest.mark.parametrize("ring", [True, False])
def test_the_order_of_additions_is_the_documented_one(ring: bool) -> None:
    size, elements = 5, 5 * 16
    data = np.random.default_rng(5).standard_normal((size, elements)).astype(np.float32)
    found = schedule(flat_chains([[Phase(Axis(size, 1), ring)]], elements * 4), size, True, True)
    held = buffers(data, elements * 4, found.staging)
    run_collective(found.moves, found.adds, held, "sum", F32)
    round_ = [0, 2, 4, 3, 1]
    for piece in range(size):
        turns = [round_[(round_.index(piece) + 1 + n) % size] for n in range(size)]
        if not ring:
            turns = [(piece - n) % size for n in range(size)]
        part = data[:, piece * 16 : piece * 16 + 16]
        total = part[turns[0]]
        for node in turns[1:]:
            total = total + part[node]
        assert np.array_equal(held[WORK].view(F32)[0, piece * 16 : piece * 16 + 16], total)


def test_a_ring_receives_what_it_must_and_no_more() -> None:
    rows, cols, lines = 18, 19, 342 * 2
    nodes = rows * cols
    first, second = axes_of(rows, cols)
    orders = [[Phase(first), Phase(second)], [Phase(second), Phase(first)]]
    found = schedule(flat_chains(orders, lines * LINE), nodes, True, True)
    received = np.bincount(found.moves["dst_node"], found.moves["bytes"], nodes)
    assert (received == 2 * lines * LINE * (nodes - 1) // nodes).all()
    assert found.steps == 2 * (rows - 1 + cols - 1)


def in_any_order(found: Schedule, held: list[np.ndarray], rng: np.random.Generator) -> None:
    """The same tables as on a machine: each node goes through each chain at its own pace, a step
    ends when its transfers have come, and transfers between two nodes keep their order."""
    nodes = len(held[0])
    chains = np.unique(found.moves["chain"]).tolist()
    last = int(found.moves["step"].max())
    at = {(node, chain): 0 for node in range(nodes) for chain in chains}
    arrived: dict[tuple[int, int], list[int]] = {key: [0] * (last + 1) for key in at}
    sent: set[tuple[int, int]] = set()
    flying: dict[tuple[int, int], list[tuple]] = {}
    while any(step <= last for step in at.values()) or any(flying.values()):
        ready = [("land", pair) for pair, queue in flying.items() if queue]
        ready += [("go", key) for key, step in at.items() if step <= last]
        what, key = ready[rng.integers(len(ready))]
        if what == "land":
            row, content = flying[key].pop(0)
            held[row["destination"]][row["dst_node"], row["dst"] : row["dst"] + len(content)] = (
                content
            )
            arrived[int(row["dst_node"]), int(row["chain"])][int(row["step"])] += 1
            continue
        node, chain = key
        step = at[key]
        moves = found.moves
        mine = moves[(moves["chain"] == chain) & (moves["step"] == step)]
        if key not in sent:
            for row in mine[mine["src_node"] == node]:
                bytes_ = held[row["source"]][node, row["src"] : row["src"] + row["bytes"]].copy()
                pair = (node, int(row["dst_node"]))
                flying.setdefault(pair, []).append((row, bytes_))
            sent.add(key)
        if arrived[key][step] == int((mine["dst_node"] == node).sum()):
            adds = found.adds
            part = adds[(adds["chain"] == chain) & (adds["step"] == step) & (adds["node"] == node)]
            run_adds(part[np.argsort(part["turn"], kind="stable")], held, "sum", F32)
            at[key] += 1
            sent.discard(key)


@pytest.mark.parametrize("seed", range(6))
def test_no_order_of_events_changes_a_result(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, cols = (3, 2) if seed % 2 else (2, 4)
    first, second = axes_of(rows, cols)
    kinds = rng.integers(0, 2, 4).astype(bool)
    orders = [
        [Phase(first, kinds[0]), Phase(second, kinds[1])],
        [Phase(second, kinds[2]), Phase(first, kinds[3])],
    ]
    data = values(rows * cols, 11 * 16, seed)
    found = schedule(flat_chains(orders, 11 * LINE), rows * cols, True, True)
    held = buffers(data, 11 * LINE, found.staging)
    in_any_order(found, held, rng)
    assert (held[WORK].view(F32) == data.sum(0)).all()


def test_strided_moves_are_read_before_any_is_written() -> None:
    found = schedule([sharded((Axis(2, 1),), (True,), 16, 32, 2, False)], 2, False, True)
    held = [np.arange(64, dtype=np.uint8).reshape(2, 32), np.zeros((2, 128), np.uint8)]
    run_moves(found.moves, held)
    rows = held[WORK].reshape(2, 2, 64)[:, :, :32]
    assert (rows == np.concatenate(np.arange(64, dtype=np.uint8).reshape(2, 2, 16), 1)).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: schedule([sharded((Axis(1, 1),), (True,), 64, 64, 1, False)], 1, True, False),
         "more than one node"),
        (lambda: Chain((), (), 64, 64), "needs phases"),
        (lambda: Chain((Phase(Axis(2, 1)),), (1,), 64, 128, low=96), "leave its slot"),
        (lambda: schedule([sharded((Axis(2, 2), Axis(2, 1)), (True, True), 64, 192, 1, True)],
                          4, True, False), "in the order of the phases"),
        (lambda: schedule([sharded((Axis(2, 2), Axis(2, 1)), (True, True), 64, 256, 3, True)],
                          4, True, False), "than an addition has strides"),
    ],
)  # fmt: skip
def test_what_cannot_be_scheduled_says_why(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
