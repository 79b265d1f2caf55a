"""Lifetimes, addresses, transfer lists and semaphores, on programs without kernels or with few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from backend_cases import TARGETS, TileModule, lower, run_all
from kernel_cases import fused, layout, random
from xdsl.dialects.builtin import ModuleOp, f32

from dojocc.dialects.op import NNOp
from dojocc.dialects.types import tensor
from dojocc.passes.allocate import Allocate, reserved_bytes
from dojocc.passes.liveness import lifetimes, schedule, the_program
from dojocc.passes.parameters import arrivals, collect
from dojocc.passes.route import LISTS, Route
from dojocc.passes.route_semaphores import READY
from dojocc.passes.select import Select
from dojocc.runtime.engines import run
from dojocc.runtime.errors import DoesNotFit, InputError, MachineStop, UsageError
from dojocc.runtime.layout import Layout
from dojocc.runtime.lists import entries_of_rows, rows_of_entries

SHAPE = (6, 32)
ROWS = layout(SHAPE, shards={0: (("row", "col"), 1)})
COLUMNS = layout(SHAPE, shards={1: (("col",), 16)})
WHOLE = layout(SHAPE)


def negate(held: Layout) -> NNOp:
    return fused([tensor(held.shape)], f32, lambda b, x: b("negate", x))


def chain(steps: int) -> TileModule:
    """Exchanges between three layouts and a negation after each."""
    built = TileModule()
    value = built.input("x", ROWS)
    for step in range(steps):
        held = (COLUMNS, WHOLE, ROWS)[step % 3]
        moved = built.buffer(f"moved{step}", held)
        built.exchange(moved, [value], location=f"node 'step{step}'")
        value = built.buffer(f"result{step}", held)
        built.compute(negate(held), [moved], [value], f"negate{step}")
    built.output("y", value)
    return built


def buffers(module: ModuleOp) -> dict[str, tuple[int, int, int, int]]:
    """Label -> (address, bytes, first step, end)."""
    live = lifetimes(schedule(the_program(module)))
    return {
        op.label.data: (op.address.value.data, reserved_bytes(op), life.start, life.end)
        for op, life in live.items()
        if op.address is not None
    }


def test_buffers_in_use_together_lie_apart() -> None:
    built = chain(7)
    module = built.module()
    Allocate().apply(built.context(), module)
    module.verify()
    placed = list(buffers(module).values())
    reused = False
    for number, (address, size, start, end) in enumerate(placed):
        assert address % 64 == 0
        for other, other_size, other_start, other_end in placed[:number]:
            apart = address + size <= other or other + other_size <= address
            assert apart or end <= other_start or other_end <= start
            reused |= not apart
    assert reused, "no memory is used twice in a chain of seven steps"


def test_peak_is_at_least_the_bound_and_both_reach_the_build_record() -> None:
    built = chain(4)
    build = lower(built.context(), built.module()).build
    assert 0 < build["sram_lower_bound_bytes"] <= build["sram_peak_bytes"] <= 1_310_720


@pytest.mark.parametrize("steps", (1, 3, 6))
def test_a_chain_of_exchanges_computes_what_it_should(steps: int) -> None:
    built = chain(steps)
    x = random(1, *SHAPE)
    program = lower(built.context(), built.module())
    np.testing.assert_array_equal(run_all(program, {"x": x})["y"], x * (-1.0) ** steps)


def overlapped() -> TileModule:
    """Two exchanges under way while a kernel runs; then one kernel uses both results."""
    built = TileModule()
    x = built.input("x", ROWS)
    first, second = built.buffer("first", WHOLE), built.buffer("second", WHOLE)
    built.exchange(first, [x])
    built.exchange(second, [x])
    spare = built.buffer("spare", ROWS)
    built.compute(negate(ROWS), [x], [spare], "meanwhile")
    total = built.buffer("total", WHOLE)
    add = fused([tensor(SHAPE)] * 2, f32, lambda b, x, y: b("add", x, y))
    built.compute(add, [first, second], [total], "total")
    built.output("y", total)
    built.output("z", spare)
    return built


def test_an_exchange_is_waited_for_at_its_first_use() -> None:
    built = overlapped()
    module = built.module()
    plan = schedule(the_program(module))
    add = next(n for n, op in enumerate(plan.steps) if "total" in str(getattr(op, "callee", "")))
    assert list(plan.waits.values()) == [add, add]
    live = {op.label.data: life for op, life in lifetimes(plan).items()}
    starts = [n for n, op in enumerate(plan.steps) if op in plan.waits]
    assert [live["first"].start, live["second"].start] == starts
    assert live["x"].end == add, "the list parser reads x until the exchange is over"
    ctx = built.context()
    Allocate().apply(ctx, module)
    Route().apply(ctx, module)
    semaphores = {op.semaphore.value.data for op in plan.exchanges if op.semaphore is not None}
    assert len(semaphores) == 2 and READY not in semaphores
    Select().apply(ctx, module)
    lines = [str(op) for op in module.walk() if op.name.startswith("disa.")]
    waits = [n for n, line in enumerate(lines) if line.startswith("disa.wait")]
    calls = [n for n, line in enumerate(lines) if line.startswith("disa.call")]
    assert calls[0] < waits[0] < waits[1] < calls[1], "the first kernel runs before the waits"


def test_exchanges_under_way_at_once_give_the_right_numbers() -> None:
    built = overlapped()
    x = random(2, *SHAPE)
    found = run_all(lower(built.context(), built.module()), {"x": x})
    np.testing.assert_array_equal(found["y"], x + x)
    np.testing.assert_array_equal(found["z"], -x)


def test_a_source_that_is_overwritten_is_waited_for() -> None:
    built = TileModule()
    x = built.input("x", ROWS)
    moved = built.buffer("moved", WHOLE)
    built.exchange(moved, [x])
    built.compute(negate(ROWS), [built.input("w", ROWS)], [x], "overwrite")
    built.output("y", moved)
    built.output("z", x)
    module = built.module()
    plan = schedule(the_program(module))
    (wait,) = plan.waits.values()
    assert plan.steps[wait].name == "tile.call"
    given = {"x": random(1, *SHAPE), "w": random(2, *SHAPE)}
    found = run_all(lower(built.context(), module), given)
    np.testing.assert_array_equal(found["y"], given["x"])


def test_semaphores_are_used_again() -> None:
    built = chain(70)
    ctx, module = built.context(), built.module()
    Allocate().apply(ctx, module)
    Route().apply(ctx, module)
    lists = ctx.resources[LISTS]
    assert set(lists["list"]) == set(range(70))
    assert set(lists["far_sem"]) == set(lists["home_sem"]) == {1}


def test_every_node_waits_for_what_comes_and_goes() -> None:
    built = chain(3)
    ctx, module = built.context(), built.module()
    Allocate().apply(ctx, module)
    Route().apply(ctx, module)
    lists = entries_of_rows(ctx.resources[LISTS], [6], 1)
    for op in schedule(the_program(module)).exchanges:
        rows = lists[lists["list"] == op.number.value.data]
        counted = arrivals(op, built.resources[op.segments.data], 6)
        taken = np.zeros(6, int)
        for row in rows:
            peers = row["peer"] + np.arange(row["peers"]) * row["peer_stride"]
            taken[peers] += 1
            taken[row["node"]] += row["peers"]
        np.testing.assert_array_equal(counted, taken)


def test_a_lost_entry_is_a_deadlock() -> None:
    built = chain(1)
    program = lower(built.context(), built.module())
    lost = program.__class__(
        **{
            name: getattr(program, name) for name in program.__dataclass_fields__ if name != "lists"
        },
        lists=rows_of_entries(program.entries[1:]),
    )
    with pytest.raises(MachineStop, match="deadlock"):
        run(lost, {"x": random(1, *SHAPE)})


def test_equal_tables_share_a_column_and_uniform_ones_need_none() -> None:
    built = overlapped()
    module = built.module()
    plan = schedule(the_program(module))
    found = collect(built.resources, plan)
    columns = {column.tobytes() for column in found.columns.T}
    assert len(columns) == found.words
    assert all((column != column[0]).any() for column in found.columns.T)
    assert found.find(np.full(6, 7)) == ("number", 7)
    assert found.bytes % 64 == 0 and found.bytes >= 4 * found.words


def test_what_does_not_fit_is_reported_with_names_and_numbers() -> None:
    built = TileModule()
    big = layout((1024, 256))
    x = built.input("x", big)
    built.image("weights", layout((64, 64)), random(1, 64, 64))
    y = built.buffer("y", big)
    built.compute(negate(big), [x], [y], "big")
    built.output("y", y)
    need = 2 * 4 * 1024 * 256 + 4 * 64 * 64
    with pytest.raises(DoesNotFit) as caught:
        Allocate().apply(built.context(), built.module())
    text = str(caught.value)
    assert f"{need - 1_310_720} B too much" in text
    assert f"need {need} B, have 1310720 B" in text
    assert "1048576 B buffer 'x'" in text and "16384 B weight 'weights'" in text
    assert text.index("'x'") < text.index("'weights'")
    assert "node 'big'" in text and "dojocc compile plans the model again" in text


def test_passes_want_a_target_and_addresses() -> None:
    built = chain(1)
    ctx = built.context()
    with pytest.raises(InputError, match="has no address"):
        Route().apply(ctx, built.module())
    ctx.target = None
    with pytest.raises(UsageError, match="pass 'allocate' needs a target"):
        Allocate().apply(ctx, chain(1).module())


@pytest.mark.parametrize(
    "field, value, words",
    [
        ("dst_node", 6, "names a node outside the grid"),
        ("operand", 1, "names a source that the exchange does not have"),
        ("src", 1 << 20, "reaches outside its source buffer"),
        ("dst", -4, "reaches outside its destination buffer"),
    ],
)
def test_wrong_segments_are_refused(field: str, value: int, words: str) -> None:
    built = chain(1)
    ctx, module = built.context(), built.module()
    Allocate().apply(ctx, module)
    ctx.resources["segments0"] = ctx.resources["segments0"].copy()
    ctx.resources["segments0"][field][2] = value
    with pytest.raises(InputError, match=words) as caught:
        Route().apply(ctx, module)
    assert "node 'step0'" in str(caught.value)


def test_a_program_for_another_grid_is_refused() -> None:
    built = chain(1)
    ctx, module = built.context(), built.module()
    Allocate().apply(ctx, module)
    assert ctx.target is not None
    ctx.target = ctx.target.with_dead([0])
    with pytest.raises(InputError, match="another grid"):
        Route().apply(ctx, module)


def test_live_nodes_outside_the_grid_halt(tmp_path: Path) -> None:
    place = tmp_path / "lame.toml"
    place.write_text(
        'name = "lame"\ninherits = "tiny"\n[die]\n'.replace('"tiny"', f'"{TARGETS}/tiny.toml"')
        + 'cols = { value = 4, origin = "assumed", note = "for this test" }\n'
        + 'dead = { value = [[0, 1]], origin = "assumed", note = "for this test" }\n'
    )
    built = chain(2)
    built.target = str(place)
    program = lower(built.context(), built.module())
    assert list(program.cls("grid").nodes) == [0, 2, 3, 4, 5, 6]
    assert list(program.cls("spare").nodes) == [7]
    x = random(1, *SHAPE)
    np.testing.assert_array_equal(run_all(program, {"x": x})["y"], x)
