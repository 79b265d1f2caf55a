"""passes/shard_stream.py: what is chosen to lie in DRAM makes the plan fit, and no more is."""

from __future__ import annotations

import pytest
from mesh_cases import Model, f32
from xdsl.ir import Block

from dojocc.dialects.function import main_function
from dojocc.passes.cost import Rates, load_cost
from dojocc.passes.shard import best_plan, machine_of
from dojocc.passes.shard_copy import Plan
from dojocc.passes.shard_memory import Memory, memory
from dojocc.passes.shard_plan import Planner
from dojocc.passes.shard_stream import best_streamed, candidates, streamed, with_streams
from dojocc.passes.shard_work import is_constant
from dojocc.runtime.targets import load_target

TINY = "tests/targets/tiny.toml"
LAYERS = 9
BUDGETS = (14_000, 18_000, 22_000, 26_000)
"""Nine weights of 5.5 KB a node, shared out evenly."""


def case(budget: int) -> tuple[Planner, Block, list[tuple[Plan, Memory]]]:
    """A chain of products, and the plans that do not fit."""
    model = Model([(8, 64)], f32)
    x = model.inputs[0]
    for number in range(LAYERS):
        width = (128, 64)[number % 2]
        weight = model.weight(f"w{number}", (x.type.get_shape()[1], width))  # pyright: ignore
        x = model.product(f"layer {number}", x, weight)
    module = model.finish(x)
    target = load_target(TINY)
    planner = Planner(machine_of(target, (2, 3)), Rates.of(target), budget)
    block = main_function(module).body.block
    tried: list[tuple[Plan, Memory]] = []
    assert best_plan(planner, block, budget, tried)[1].peak > budget
    return planner, block, tried


@pytest.mark.parametrize("budget", BUDGETS)
def test_what_is_chosen_is_enough_and_not_more(budget: int) -> None:
    """For every plan, with loads ahead of their readers and just before them."""
    planner, block, tried = case(budget)
    fitting = []
    for plan, need in tried:
        kernels = [placed.cycles for placed in plan.kernels.values()]
        both = streamed(planner, plan, need, block, budget)
        for ahead, each in zip((True, False), both, strict=True):
            assert memory(each.plan, block).peak == each.memory.peak
            if each.memory.peak <= budget:
                fitting.append(each)
                fewer, _ = with_streams(plan, each.chosen[:-1], kernels, block, ahead)
                assert memory(fewer, block).peak > budget
            else:
                assert len(each.chosen) == len(candidates(planner, plan, block))
    best = best_streamed(planner, tried, block, budget)
    assert best is not None and best.cycles == min(each.cycles for each in fitting)


@pytest.mark.parametrize("budget", BUDGETS)
def test_chosen_constants_are_streamed_to_every_reader_and_others_to_none(budget: int) -> None:
    planner, block, tried = case(budget)
    found = best_streamed(planner, tried, block, budget)
    assert found is not None and found.memory.peak <= budget
    chosen = {each.value for each in found.chosen}
    place = {op: number for number, op in enumerate(block.ops)}
    for op, reads in found.plan.reads.items():
        for value, copy in zip(op.operands, reads, strict=True):
            stream = None if copy is None else copy.stream
            assert (stream is not None) == (value in chosen)
            if stream is not None:
                assert 0 <= stream.load <= stream.move <= place[op]
    assert not chosen & set(found.plan.homes)
    assert all(is_constant(value) for value in chosen)


def test_without_dram_there_is_no_such_plan() -> None:
    planner, block, tried = case(BUDGETS[0])
    rates = Rates(**{**vars(planner.rates), "dram_bytes": 0.0})
    assert best_streamed(Planner(planner.machine, rates, 1), tried, block, 1) is None


def test_a_load_takes_every_nodes_part_at_the_rate_of_all_dips() -> None:
    planner, block, tried = case(BUDGETS[0])
    rates = planner.rates
    assert rates.dram_bytes == 400  # 800 GB/s at 2 GHz
    (first, *_) = candidates(planner, tried[0][0], block)
    layout = first.uses[0].copy.layout
    start, stop = layout.boxes()
    moved = load_cost(layout, rates)
    assert moved.bytes == ((stop - start).prod(1) * 4).sum()
    assert moved.cycles == pytest.approx(rates.dram_cycles + moved.bytes / 400, abs=1)
