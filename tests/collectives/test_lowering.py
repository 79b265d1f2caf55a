"""From tables to lists and streams: what is shared between steps, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from collective_cases import STEPS, module_text, tensor
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.context import DojoContext
from dojocc.dialects.printing import parse_module
from dojocc.dialects.tile import CollectiveOp
from dojocc.passes.collective_steps import SEMAPHORES, Steps, steps_of
from dojocc.passes.emit import emit_program
from dojocc.passes.pipeline import default_passes, parse_passes, run_pipeline
from dojocc.runtime.errors import DoesNotFit, DojoError, InputError, UnsupportedError
from dojocc.runtime.program import Program
from dojocc.runtime.segments import ADD_DTYPE, MOVE_DTYPE
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target

TINY = load_target(Path(__file__).parents[1] / "targets" / "tiny.toml")
BUFFER = '"b" layout #mesh.layout<FP32, grid 2 x 3, [16]> address 0 : memref<16xf32>'


def all_reduce(elements: int, algorithm: str = "ring", axes: str = "row col") -> str:
    nodes = {"row col": 6, "col": 3}[axes]
    before = tensor((2, 3), "FP32", [f"{nodes} by {axes} step 1", str(elements)])
    after = tensor((2, 3), "FP32", [str(elements)])
    return module_text("all_reduce", before, after, kind="sum", algorithm=algorithm)


def tiled(text: str, target: Target = TINY) -> tuple[DojoContext, ModuleOp]:
    context = DojoContext(target=target)
    module = parse_module(context, text)
    run_pipeline(context, module, parse_passes("tile"))
    return context, module


def program_of(text: str) -> Program:
    context, module = tiled(text)
    run_pipeline(context, module, default_passes(STEPS)[1:])
    return emit_program(context, module)


def steps(text: str) -> Steps:
    context, module = tiled(text)
    op = next(op for op in module.walk() if isinstance(op, CollectiveOp))
    return steps_of(context.resources, op, 6)


def test_steps_of_one_ring_share_a_semaphore_until_another_thread_waits() -> None:
    found = steps(all_reduce(48, axes="col"))
    by_chain = [each for each in found.steps if each.chain == 0]
    assert [bool(each.additions) for each in by_chain] == [True, True, False, False]
    numbers = [each.far[0] for each in by_chain]
    assert numbers[0] == numbers[1] != numbers[2] == numbers[3]


def test_steps_with_several_senders_have_a_semaphore_each() -> None:
    found = steps(all_reduce(96, "direct"))
    numbers = [place for each in found.steps for place in each.far.values()]
    assert len(set(numbers)) == len(numbers) == found.semaphores - SEMAPHORES - len(found.go)


def test_every_transfer_raises_a_semaphore_that_is_waited_for() -> None:
    program = program_of(all_reduce(96))
    found = steps(all_reduce(96))
    rows = program.entries
    assert rows["peers"].sum() == sum(lane.sum() for each in found.steps for lane in each.arrivals)
    assert (np.bincount(rows["node"], rows["peers"], 6) == found.sent).all()
    assert len(np.unique(rows["list"])) == len(found.steps)


def test_a_program_has_one_adder_however_many_steps() -> None:
    names = [name for name, _, _ in program_of(all_reduce(960)).classes[0].kernels]
    assert len(set(names)) == len(names) <= 4


def moved(**fields: int) -> np.ndarray:
    row = np.zeros(1, MOVE_DTYPE)
    row["bytes"], row["count0"], row["count1"], row["dst_node"] = 64, 1, 1, 1
    for name, value in fields.items():
        row[name] = value
    return row


def route(moves: np.ndarray | None, passes: str = "route", clears: str = "") -> None:
    """A tile.collective by hand: two buffers of 64 B."""
    context = DojoContext(target=TINY)
    text = (
        f"tile.program @main grid [2, 3] {{ %a = tile.alloc {BUFFER} %b = tile.alloc {BUFFER}"
        f' tile.collective 0 lists 1 %a, %b by "m" then "none" "a" bytes 0 cycles 0 {clears}'
        " : memref<16xf32>, memref<16xf32> }"
    )
    context.resources["a"] = np.zeros(0, ADD_DTYPE)
    if moves is not None:
        context.resources["m"] = moves
    run_pipeline(context, parse_module(context, text), parse_passes(passes))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"src": 16}, "outside its source buffer"),
        ({"dst": -16}, "outside its destination buffer"),
        ({"destination": 2}, "outside its destination buffer"),
    ],
)
def test_moves_stay_inside_their_buffers(fields: dict[str, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        route(moved(**fields))


def test_a_missing_table_is_named() -> None:
    with pytest.raises(InputError, match="there is no table 'm'"):
        route(None)


def test_only_a_buffer_that_is_written_can_be_cleared() -> None:
    with pytest.raises((DojoError, VerifyException), match="clears a buffer that it does not"):
        route(moved(), clears="clears 0")


def test_a_machine_with_few_semaphores_refuses() -> None:
    target = replace(TINY, node=replace(TINY.node, semaphores=3))
    context, module = tiled(all_reduce(96), target)
    with pytest.raises(DoesNotFit, match="than a node has semaphores for"):
        run_pipeline(context, module, default_passes(STEPS)[1:])


def test_shards_that_are_no_whole_vectors_are_refused() -> None:
    before = tensor((2, 3), "FP32", ["6 by row col step 1", "48"])
    after = tensor((2, 3), "FP32", ["48 by row col step 8 physical 16"])
    with pytest.raises(UnsupportedError, match="shards of 32 B are not whole vectors"):
        tiled(module_text("reduce_scatter", before, after, kind="sum"))
