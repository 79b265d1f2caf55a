"""Deferred values: stored piece by piece, for registers that are treated alike at once, and done
again in later runs; the reference engine says what is right.
"""

from __future__ import annotations

import numpy as np
import pytest
from build import NODES, program

from dojocc.runtime.engines import grids, lazy, run
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.isa.instr import TABLE

DEPTH, BLOCKS = 3, 2  # turns of the products, blocks of rows
ROWS, COLUMNS = 0, 4096  # where the factors lie
BIAS, OUT = 8192, 16384


def factors(seed: int, alike: str) -> dict[str, np.ndarray]:
    """Rows and columns of every node; nodes hold alike what `alike` says."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((NODES, 4 * 8 * DEPTH * BLOCKS)).astype(np.float32)
    columns = random.standard_normal((NODES, 4 * 8 * DEPTH)).astype(np.float32)
    node = np.arange(NODES)
    if alike == "grid":
        return {"a": rows[node // 3], "b": columns[node % 3]}
    if alike == "rows":
        return {"a": rows[[0, 0, 1, 1, 2, 3]], "b": columns[[0, 1, 0, 2, 1, 0]]}
    if alike == "twice":
        return {"a": rows[node // 3], "b": columns[node // 3]}
    return {"a": rows, "b": columns}


def kernel(stores: list[str], more: list[str]) -> list[str]:
    """Blocks of rows: products over DEPTH turns, then four parts, a bias and a maximum."""
    lines = ["vli 9 0.0 0", "aclr 0", f"abasei 0 {ROWS}", "apitch 0 8", "astr 0 1 64"]
    lines += [f"astr 0 0 {64 * DEPTH}", "aclr 1", f"abasei 1 {COLUMNS}", "apitch 1 16"]
    lines += ["astr 1 1 64", "aclr 2", f"abasei 2 {BIAS}", "aclr 3", f"abasei 3 {OUT}"]
    lines += ["apitch 3 32", "astr 3 0 256", *more]
    lines += [f"loop 0 {BLOCKS}", "mzero 0", f"loop 1 {DEPTH}"]
    lines += ["ldg8 0 0 0", "ldg16 1 1 0", "mmac 0 0 1", "end", "vld2 8 2 0 0 0"]
    for part in range(4):
        lines += [f"mread {part} 0 {part}", f"vadd {part} {part} 8 0", f"vmax {part} {part} 9 0"]
    return [*lines, *stores, "end"]


PLAIN = [f"vst2 {part} 3 0 {2 * part} 0" for part in (1, 0, 3, 2)]
ONE_LANE = [f"vst2 {part} 4 0 0 1" for part in (2,)]
OVERLAPPING = ["aclr 4", f"abasei 4 {OUT}", "astr 4 0 256", "apitch 4 0"]
FIRST_EIGHT = ["aclr 5", "li 2 0", "li 3 8", "ax 5 2 3", "astep 5 0 1", "pinb 1 5 0"]
BROKEN = [*PLAIN[:2], "vst2 2 3 0 6 0", "vst2 3 3 0 4 0"]
CASES = {"in parts": (PLAIN, []), "crosswise": (BROKEN, [])}
CASES["lanes that are not kept lie on kept ones"] = (ONE_LANE, OVERLAPPING + FIRST_EIGHT)


def built(case: str):
    stores, more = CASES[case]
    size = 4 * 8 * DEPTH
    bias = np.random.default_rng(5).standard_normal((NODES, 16)).astype(np.float32)
    return program(
        [kernel(stores, more)],
        inputs={"a": (ROWS, size * BLOCKS, "BF16"), "b": (COLUMNS, size, "BF16")},
        outputs={"y": (OUT, 64 * BLOCKS, "FP32")},
        images={"bias": (BIAS, bias, "FP32")},
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("alike", ["grid", "rows", "twice", "none"])
@pytest.mark.parametrize("mode", ["fast", "exact"])
def test_products_and_what_follows_as_the_reference_has_them(case, alike, mode) -> None:
    """The second and third run have other inputs: nothing of the first may be left over."""
    made = built(case)
    machine = Machine(made)
    for seed, now in ((0, alike), (1, alike), (2, "none"), (3, alike)):
        inputs = factors(seed, now)
        wanted = run(made, inputs, "reference").outputs["y"]
        found = run(made, inputs, "vector", mode, machine).outputs["y"]
        if mode == "exact":
            np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_pieces_do_not_change_what_is_stored(monkeypatch) -> None:
    made, found = built("in parts"), []
    for size in (1, 100, 1 << 16):
        monkeypatch.setattr(grids, "PIECE", size)
        grids.pieces.cache_clear()
        found.append(run(made, factors(0, "grid"), "vector", "exact").outputs["y"])
    grids.pieces.cache_clear()
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


@pytest.mark.parametrize("name", sorted(lazy.lanewise()))
def test_lanewise_rows_do_not_look_at_other_lanes(name: str) -> None:
    """The result of lanes split in two axes is that of 16 lanes, split."""
    row, random = TABLE[name], np.random.default_rng(1)
    args = []
    for operand in row.inputs:
        values = random.standard_normal((3, 16)).astype(np.float32)
        if operand.kind == "p":
            args.append(values > 0)
        elif operand.kind == "v":
            args.append(lazy.lanes_seen(values, row.lanes))
        else:
            args.append("BF16")
    split = [a if isinstance(a, str) else a.reshape(3, 2, 8) for a in args]
    whole, parts = np.asarray(row.body(*args)), np.asarray(row.body(*split))
    np.testing.assert_array_equal(whole.reshape(3, 2, 8), parts)


@pytest.mark.parametrize("name", sorted(lazy.ACROSS))
def test_rows_across_lanes_are_not_lanewise(name: str) -> None:
    assert name not in lazy.lanewise()


def test_nodes_in_grids_hold_each_pair_of_rows_once() -> None:
    random = np.random.default_rng(3)
    pairs = np.stack(np.divmod(random.permutation(60)[:37], 10), 1)
    a, b = (np.ascontiguousarray(pairs[:, i], np.int64) for i in (0, 1))
    found = grids.grids(a.tobytes(), b.tobytes())
    assert found is not None
    seen = []
    for grid in found:
        first = grid.first if grid.first.ndim == 2 else grid.first[:, None]
        first, second = np.broadcast_arrays(first, grid.second)
        np.testing.assert_array_equal(a[grid.members], first)
        np.testing.assert_array_equal(b[grid.members], second)
        seen += grid.members.reshape(-1).tolist()
    assert sorted(seen) == list(range(37))
    assert grids.grids(np.zeros(2, np.int64).tobytes(), np.zeros(2, np.int64).tobytes()) is None
