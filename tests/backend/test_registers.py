"""Registers and generators: intervals apart, cells across loops, sharing, and running out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.builtin import IndexType, MemRefType, f32
from xdsl.ir import Block, Region, SSAValue

from dojocc.dialects.disa import to_instr
from dojocc.dialects.tile import (
    Access,
    AccumulateOp,
    CellOp,
    ForOp,
    KernelOp,
    LoadOp,
    StoreOp,
    VectorOp,
)
from dojocc.passes.kernel_generators import assign_generators
from dojocc.passes.kernel_registers import assign_registers, live_range, positions
from dojocc.passes.select_kernel import DESCRIPTORS, select_kernel
from dojocc.passes.solve.intervals import Crowded, assign, most_overlapping
from dojocc.runtime.errors import UnsupportedError

SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=25)


@given(SPANS)
def test_intervals_use_as_few_places_as_overlap(pairs: list[tuple[int, int]]) -> None:
    spans = [(start, start + length) for start, length in pairs]
    most = most_overlapping(spans)
    chosen = assign(spans, range(most))
    for i, (start, end) in enumerate(spans):
        for j, (other_start, other_end) in enumerate(spans[:i]):
            if start < other_end and other_start < end:
                assert chosen[i] != chosen[j]
    if most > 1:
        with pytest.raises(Crowded) as crowded:
            assign(spans, range(most - 1))
        assert len(crowded.value.holders) == most


def kernel(*scalars: int) -> tuple[KernelOp, Block, SSAValue]:
    kinds = [MemRefType(f32, (64,)), *[IndexType()] * len(scalars)]
    block = Block(arg_types=kinds)
    return KernelOp("k", Region(block)), block, block.args[0]


def text(op: KernelOp) -> list[str]:
    return [str(each).strip() for each in select_kernel(op).body.block.ops]


def test_a_cell_is_held_through_the_loop_that_changes_it() -> None:
    op, block, buffer = kernel()
    cell = CellOp(0.0)
    loop = ForOp(0, 4)
    load = LoadOp(buffer, Access(strides=(64, 0, 0, 0, 0, 0)))
    loop.body.block.add_ops([load, AccumulateOp("vacc", cell.result, load.result)])
    tail = VectorOp("vneg", [cell.result])
    block.add_ops([cell, loop, tail, StoreOp(tail.result, buffer, Access())])
    op.verify()
    where = positions(op)
    registers = assign_registers(op, where)
    assert registers[cell.result] != registers[load.result]
    assert live_range(cell.result, where)[1] == where.of[tail]


def test_a_value_made_before_a_loop_lives_to_its_end() -> None:
    op, block, buffer = kernel()
    first = LoadOp(buffer, Access())
    loop = ForOp(0, 4)
    used = VectorOp("vneg", [first.result])
    late = LoadOp(buffer, Access())
    loop.body.block.add_ops([used, late, StoreOp(late.result, buffer, Access())])
    block.add_ops([first, loop])
    registers = assign_registers(op, positions(op))
    assert registers[late.result] != registers[first.result]


def test_accesses_that_differ_in_their_first_granule_share_a_generator() -> None:
    op, block, buffer = kernel()
    loads = [LoadOp(buffer, Access(pitch=64, first=first), 2) for first in (0, 2, 200)]
    loop = ForOp(0, 2)
    loop.body.block.add_ops(loads)
    block.add_op(loop)
    found = assign_generators(op, positions(op))
    assert found.number[loads[0]] == found.number[loads[1]] != found.number[loads[2]]
    assert [found.first[load] for load in loads] == [0, 2, 0]
    assert sum(line.startswith("disa.aclr") for line in text(op)) == 2
    assert "disa.aaddi a1, 12800" in text(op)


def test_a_generator_is_free_after_its_outermost_loop() -> None:
    op, block, buffer = kernel()
    for number in range(20):
        loop = ForOp(0, 2)
        load = LoadOp(buffer, Access(strides=(64 + number, 0, 0, 0, 0, 0)))
        loop.body.block.add_ops([load, StoreOp(load.result, buffer, Access(offset=number))])
        block.add_op(loop)
    found = assign_generators(op, positions(op))
    assert set(found.number.values()) <= set(range(3))


def test_coordinates_come_from_scalars_and_constants() -> None:
    op, block, buffer = kernel(0, 0)
    y0, limit = block.args[1:]
    access = Access(y_strides=(1, 0, 0, 0, 0, 0), y_start=-1, y_limit=0, pad=-2.5)
    loop = ForOp(0, 3)
    load = LoadOp(buffer, access, y0=y0, ylim=limit)
    loop.body.block.add_ops([load, StoreOp(load.result, buffer, Access())])
    block.add_op(loop)
    op.verify()
    lines = text(op)
    assert "disa.addi x1, x9, -1" in lines
    assert "disa.ay a0, x1, x10" in lines
    assert "disa.aystr a0, L0, 1" in lines
    assert "disa.apad a0, -2.5" in lines
    assert f"disa.vldp v0, a0, d{DESCRIPTORS['FP32']}, 0" in lines


def test_running_out_of_vector_registers_names_the_kernel() -> None:
    op, block, buffer = kernel()
    loads = [LoadOp(buffer, Access()) for _ in range(33)]
    block.add_ops(loads)
    block.add_ops([StoreOp(load.result, buffer, Access()) for load in loads])
    with pytest.raises(UnsupportedError, match="kernel 'k' holds more values .* vector registers"):
        select_kernel(op)


def test_running_out_of_generators_names_the_kernel() -> None:
    op, block, buffer = kernel()
    loop = ForOp(0, 2)
    for offset in range(16):
        load = LoadOp(buffer, Access(offset=4 * offset))
        loop.body.block.add_op(load)
    block.add_op(loop)
    with pytest.raises(UnsupportedError, match="kernel 'k' .* address generators"):
        select_kernel(op)


def test_too_many_parameters_are_refused() -> None:
    op, _, _ = kernel(*range(24))
    with pytest.raises(UnsupportedError, match="too many buffers and scalars"):
        select_kernel(op)


def test_every_selected_instruction_has_valid_operands() -> None:
    op, block, buffer = kernel()
    load = LoadOp(buffer, Access())
    block.add_ops([load, StoreOp(load.result, buffer, Access())])
    made = select_kernel(op)
    made.verify()
    assert [to_instr(each).mnemonic for each in made.body.block.ops][-1] == "ret"
