"""Families: what each offers shares out the batch alike, and models planned in one keep their
numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from program_levels import relative_error
from zoo_models import zoo

import dojocc
from dojocc.passes.shard_family import with_family
from dojocc.passes.solve.candidates import Machine
from dojocc.passes.solve.families import Family, along_lines, families
from dojocc.passes.solve.work import Access, Index, Kernel, Loop, Work, spread_work
from dojocc.runtime.layout import DimShard, Layout, whole
from dojocc.runtime.targets import load_target

TINY = load_target("tests/targets/tiny.toml")
DIES = replace(TINY, system=replace(TINY.system, die_rows=2, die_cols=2))
GRID = (8, 12)


def products(batch: int) -> Work:
    """[batch, 40, 64] from [batch, 40, 32] and [32, 64]."""
    loops = (
        Loop("n", batch, True),
        Loop("m", 40, True, 8),
        Loop("c", 64, True, 8),
        Loop("k", 32, False, 1, True),
    )
    at = [Index(((number, 1),)) for number in range(4)]
    left = Access("left", (batch, 40, 32), "BF16", ((at[0], at[1], at[3]),))
    right = Access("right", (32, 64), "BF16", ((at[3], at[2]),))
    result = Access("result", (batch, 40, 64), "BF16", ((at[0], at[1], at[2]),))
    return Work(loops, (left, right), (result,), Kernel("matrix", 1, 2, 3))


@pytest.mark.parametrize("batch", [4, 7, 16])
def test_all_candidates_share_the_batch_out_alike(batch: int) -> None:
    machine = Machine(GRID, (2, 2))
    found = families(batch, machine)
    assert found
    for family in found:
        offered = family(
            products(batch), machine, lambda work, blocks: blocks.prod(1).astype(float)
        )
        assert offered
        for each in offered:
            for layout in (each.operands[0], each.results[0]):
                assert layout.dims[0].axes == family.axes
                assert all(
                    b in (1, a) for a, b in zip(family.split, layout.split, strict=True) if a > 1
                )
            assert not each.operands[1].dims[0].axes


def test_what_reads_nothing_is_shared_out_as_ever() -> None:
    family = Family(("outer_row",), (2, 1), 4)
    found = family(spread_work((4, 32), "BF16"), Machine(GRID), lambda w, b: b.prod(1) * 1.0)
    assert any(each.results[0].dims[1].axes for each in found)
    assert any(not each.results[0].dims[0].axes for each in found)


def test_a_line_holds_all_that_its_nodes_want() -> None:
    shape = (40, 64)
    columns = DimShard(("inner_row",), 16, 0, 16, 16)
    wanted = Layout(shape, (whole(40), columns), "BF16", GRID, (2, 1))
    offered = along_lines(spread_work(shape, "BF16"), wanted)
    assert [each.dims[0].axes for each in offered] == [
        ("outer_row",),
        ("col",),
        ("outer_row", "col"),
    ]
    row, column = np.divmod(np.arange(GRID[0] * GRID[1]), GRID[1])
    places = {"outer_row": row // 4, "inner_row": row % 4, "col": column}
    start, stop = wanted.boxes()
    for each in offered:
        low, high = each.boxes()
        apart = [place for axis, place in places.items() if axis not in each.dims[0].axes]
        for node in range(len(row)):
            held = np.zeros(shape, bool)
            for other in np.flatnonzero(np.all([at == at[node] for at in apart], 0)):
                held[low[other][0] : high[other][0], low[other][1] : high[other][1]] = True
            assert held[start[node][0] : stop[node][0], start[node][1] : stop[node][1]].all()


@pytest.mark.parametrize("name", ["resnet50", "bert"])
def test_models_in_a_family_keep_their_numbers(name: str, monkeypatch) -> None:
    taken = []

    def watched(planner, block):
        found = with_family(planner, block)
        taken.append(found.ways)
        return found

    monkeypatch.setattr("dojocc.passes.shard.with_family", watched)
    model = zoo.build(name, "tiny", batch=6)
    feeds = zoo.inputs(model)
    (wanted,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    program = dojocc.compile(model, target=DIES, precision="fp32", optimize=3)
    assert isinstance(taken[0][0], Family)
    (found,) = dojocc.Session(program).run(None, feeds)
    assert relative_error(np.asarray(found), np.asarray(wanted)) < 1e-5
