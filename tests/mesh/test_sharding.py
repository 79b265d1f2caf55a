"""The chooser on plain data: candidates are well formed, and the cheapest fitting is taken."""

from __future__ import annotations

from itertools import product
from math import ceil

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_cases import Model, bf16, ops, shard_and_compare

from dojocc.dialects.mesh import layout_of
from dojocc.passes.cost import Rates, exchange_cost, kernel_cycles
from dojocc.passes.shard import RESERVED, Shard
from dojocc.passes.shard_work import make_work
from dojocc.passes.slice_strides import SliceStrides
from dojocc.passes.solve.candidates import Machine, owner_computes
from dojocc.passes.solve.sharding import Source, Weights, choose, cost, fits
from dojocc.passes.solve.work import Access, Index, Kernel, Loop, Work, block
from dojocc.runtime.layout import DimShard, Layout, whole
from dojocc.runtime.targets import load_target

GRID = (4, 6)
MACHINE = Machine(GRID)
RATES = Rates.of(load_target("tests/targets/tiny.toml"))


@st.composite
def works(draw) -> Work:
    """A window kernel over up to three result dimensions and one reduction."""
    rank = draw(st.integers(1, 3))
    sizes = [draw(st.integers(1, 40)) for _ in range(rank)]
    loops = [
        Loop(
            f"d{n}",
            size,
            draw(st.booleans()),
            16 if n == rank - 1 else draw(st.sampled_from([1, 8])),
        )
        for n, size in enumerate(sizes)
    ]
    window = draw(st.integers(1, 3))
    loops.append(Loop("k", window, False, 1, True))
    stride, pad = draw(st.integers(1, 3)), draw(st.integers(0, 1))
    source = tuple((sizes[n] - 1) * stride + window - pad for n in range(rank))
    reads = tuple(Index(((n, stride), (rank, 1)), -pad) for n in range(rank))
    writes = tuple(Index(((n, 1),)) for n in range(rank))
    operand = Access("operand 0", source, "FP32", (reads,))
    result = Access("result 0", tuple(sizes), "FP32", (writes,))
    return Work(tuple(loops), (operand,), (result,), Kernel("vector", lanes=rank - 1))


def offered(work: Work):
    return owner_computes(work, MACHINE, lambda each, blocks: kernel_cycles(each, blocks, RATES))


@settings(max_examples=80, deadline=None)
@given(works())
def test_candidates_are_well_formed(work: Work) -> None:
    for placed in offered(work):
        used = [axis for axes in placed.choice.axes for axis in axes]
        assert len(used) == len(set(used))
        for number, (loop, axes) in enumerate(zip(work.loops, placed.choice.axes, strict=True)):
            assert loop.shardable or not axes
            if axes:
                assert block(loop, placed.choice.shards(number, GRID)) % loop.granule == 0
        result, operand = placed.results[0], placed.operands[0]
        assert result.physical[-1] % 16 == 0 and operand.physical[-1] % 16 == 0
        start, stop = result.boxes()
        held = np.zeros(result.shape, int)
        for low, high in zip(start, stop, strict=True):
            held[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] += 1
        assert held.min(initial=1) >= 1  # nothing is left out
        _holds_what_it_reads(work, operand, start, stop)


def _holds_what_it_reads(work: Work, operand: Layout, start, stop) -> None:
    has, end = operand.boxes()
    assert work.operands[0].maps is not None
    for dim, index in enumerate(work.operands[0].maps[0]):
        (_, stride), _ = index.terms
        window = work.loops[-1].size
        first = start[:, dim] * stride + index.offset
        last = (stop[:, dim] - 1) * stride + index.offset + window
        busy = (stop > start).all(1)
        size = operand.shape[dim]
        assert (has[busy, dim] <= np.maximum(first[busy], 0)).all()
        assert (end[busy, dim] >= np.minimum(last[busy], size)).all()


@settings(max_examples=60, deadline=None)
@given(works(), st.integers(0, 5000))
def test_the_cheapest_that_fits_is_taken(work: Work, room: int) -> None:
    sources = (
        Source(
            "held",
            Layout(
                work.operands[0].shape,
                tuple(whole(size) for size in work.operands[0].shape),
                "FP32",
                GRID,
            ),
        ),
    )

    def exchange(src, dst, reading):
        return exchange_cost(src, dst, RATES, reading).cycles

    found = offered(work)
    taken = choose(work, found, sources, exchange, Weights(), room)
    sizes = [sum(x.bytes for x in (*each.operands, *each.results)) for each in found]
    fitting = [each for each, size in zip(found, sizes, strict=True) if size <= room]
    if not fitting:
        assert sizes[found.index(taken)] == min(sizes)
        return
    assert taken in fitting
    price = cost(work, taken, sources, exchange, Weights())
    assert all(price <= cost(work, each, sources, exchange, Weights()) for each in fitting)


def test_fits_wants_the_same_parts_and_enough_room() -> None:
    held = Layout((8, 16), (whole(8, 16), whole(16)), "BF16", GRID)
    wanted = Layout((8, 16), (whole(8), whole(16)), "BF16", GRID)
    assert fits(held, wanted) and not fits(wanted, held)
    assert not fits(held, Layout((8, 16), (whole(8), whole(16)), "FP32", GRID))


def test_exchange_costs_grow_with_distance_and_size() -> None:
    whole_, by_row = (
        Layout((18, 64), dims, "BF16", (3, 4))
        for dims in ((whole(18), whole(64)), (_by_row(6, 0, 6), whole(64)))
    )
    halo = Layout((18, 64), (_by_row(6, -1, 8), whole(64)), "BF16", (3, 4))
    costs = [exchange_cost(by_row, dst, RATES) for dst in (by_row, halo, whole_)]
    assert costs[0].bytes == 0 < costs[1].bytes < costs[2].bytes == 12 * 12 * 128
    assert costs[0].cycles <= costs[1].cycles < costs[2].cycles


def _by_row(step: int, offset: int, extent: int):
    return DimShard(("row",), step, offset, extent, extent)


STAGES = ((64, 256, 3, 56), (128, 512, 4, 28), (256, 1024, 6, 14), (512, 2048, 3, 7))


def resnet50() -> tuple[Model, object]:
    """ResNet-50's contractions with their residuals, without data."""
    model = Model([(1, 224, 224, 3)], bf16, "d1-die")
    names = (f"w{number}" for number in range(100))

    def conv(x, width, outputs, size, stride=1):
        weight = model.weight(next(names), (width, width, size, outputs), data=False)
        return model.convolve("conv", x, weight, stride, width // 2)

    x = conv(model.inputs[0], 7, 64, 3, 2)
    x = conv(x, 3, 64, 64, 2)  # in the place of the max pool
    size = 64
    for number, (inner, outer, blocks, _) in enumerate(STAGES):
        for index in range(blocks):
            stride = 2 if number and not index else 1
            short = conv(x, 1, outer, size, stride) if not index else x
            y = conv(conv(x, 1, inner, size), 3, inner, inner, stride)
            y = conv(y, 1, outer, inner)
            x = model.kernel("add", [y, short], lambda b, a, c: b("add", a, c))
            size = outer
    x = model.kernel("mean", [x], lambda b, a: b("reduce", a, kind="mean", dims=[1, 2]))
    weight = model.weight("fc", (2048, 1000), data=False)
    return model, model.finish(model.product("fc", x, weight))


def test_resnet50_fits_a_die_and_wastes_little() -> None:
    model, module = resnet50()
    SliceStrides().apply(model.context, module)
    module.verify()
    Shard().apply(model.context, module)
    constants = sum(layout_of(op.results[0]).bytes for op in ops(module, "nn.constant"))
    assert RESERVED + constants < model.context.target.node.sram_bytes
    executed = true = 0
    for op in ops(module, "nn.fused"):
        work = make_work(op)
        if work.kernel.unit != "matrix":
            continue
        start, stop = layout_of(op.results[0]).boxes()
        size = stop - start
        rows, columns = np.ceil(size[:, -2] / 8), np.ceil(size[:, -1] / 8)
        outer = size[:, :-2].prod(1)
        reductions = [loop.size for loop in work.loops if loop.reduction]
        steps = int(np.prod(reductions[:-1])) * ceil(reductions[-1] / 4)
        executed += int((rows * columns * outer).sum()) * steps * 256
        true += int(np.prod([loop.size for loop in work.loops]))
    assert executed <= 1.6 * true


def test_slice_strides_keeps_the_numbers() -> None:
    for stride, pad in product((2, 3), (0, 1)):
        model = Model([(1, 11, 9, 16)])
        y = model.convolve("c", model.inputs[0], model.weight("w", (1, 1, 16, 24)), stride, pad)
        module = model.finish(y)
        SliceStrides().apply(model.context, module)
        assert len(ops(module, "nn.slice")) == (pad == 0)
        shard_and_compare(model, module)
