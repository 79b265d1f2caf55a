"""Collectives as ops: the same result at every level, on grids with holes, for sizes that do not
divide; what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from collective_cases import at_every_level, module_text, tensor
from xdsl.utils.exceptions import VerifyException

from dojocc.compiler import Options, chosen_passes, compile_model
from dojocc.dialects.context import DojoContext
from dojocc.dialects.printing import parse_module, print_module
from dojocc.passes.pipeline import NN_PIPELINE, PIPELINE, parse_passes, run_pipeline
from dojocc.passes.solve.grid import logical_grid
from dojocc.runtime.engines import run
from dojocc.runtime.errors import UnsupportedError, UsageError
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target

TARGETS = Path(__file__).parents[1] / "targets"
TINY = load_target(TARGETS / "tiny.toml")
HOLES = load_target(TARGETS / "tiny-holes.toml")


def grid_of(target: Target) -> tuple[int, int]:
    rows, cols = logical_grid(target).shape
    return int(rows), int(cols)


def whole_numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(-99, 99, shape).astype(np.float32)


def assert_levels(found: dict[str, np.ndarray], want: np.ndarray) -> None:
    for level, array in found.items():
        assert array.dtype == want.dtype and np.array_equal(array, want), level


REDUCTIONS = {"sum": np.sum, "max": np.max, "min": np.min}


@pytest.mark.parametrize("target", [TINY, HOLES], ids=lambda target: target.name)
@pytest.mark.parametrize("algorithm", ["auto", "ring", "direct"])
@pytest.mark.parametrize("elements", [16, 80, 512])
def test_all_reduce(target: Target, algorithm: str, elements: int) -> None:
    grid = grid_of(target)
    nodes = grid[0] * grid[1]
    before = tensor(grid, "FP32", [f"{nodes} by row col step 1", str(elements)])
    after = tensor(grid, "FP32", [str(elements)])
    given = whole_numbers(nodes, elements)
    text = module_text("all_reduce", before, after, kind="sum", algorithm=algorithm)
    assert_levels(at_every_level(text, target, given), given.sum(0))


@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize("fmt", ["FP32", "INT32"])
def test_kinds_and_formats(kind: str, fmt: str) -> None:
    """Along one axis, of a tensor that the other axis shards, with a tail."""
    before = tensor((2, 3), fmt, ["3 by col step 1", "6 by row step 3", "20 physical 32"])
    after = tensor((2, 3), fmt, ["6 by row step 3", "20 physical 32"])
    given = whole_numbers(3, 6, 20).astype(np.float32 if fmt == "FP32" else np.int32)
    text = module_text("all_reduce", before, after, kind=kind)
    want = REDUCTIONS[kind](given, axis=0).astype(given.dtype)
    assert_levels(at_every_level(text, TINY, given), want)


def test_real_numbers_add_up_alike_on_tiles_and_both_engines() -> None:
    before = tensor((2, 3), "FP32", ["6 by row col step 1", "200 physical 208"])
    after = tensor((2, 3), "FP32", ["200 physical 208"])
    given = np.random.default_rng(1).standard_normal((6, 200)).astype(np.float32)
    found = at_every_level(module_text("all_reduce", before, after, kind="sum"), TINY, given)
    assert np.array_equal(found["tile"], found["reference"])
    assert np.array_equal(found["vector"], found["reference"])
    np.testing.assert_allclose(found["tile"], found["mesh"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("target", [TINY, HOLES], ids=lambda target: target.name)
@pytest.mark.parametrize(("rows", "step"), [(12, 2), (10, 2), (5, 1), (36, 6)])
def test_reduce_scatter_along_the_outer_dimension(target: Target, rows: int, step: int) -> None:
    grid = grid_of(target)
    nodes = grid[0] * grid[1]
    step = -(-rows // nodes) if rows > step * nodes else step
    before = tensor(grid, "FP32", [f"{nodes} by row col step 1", str(rows), "32"])
    after = tensor(grid, "FP32", [f"{rows} by row col step {step}", "32"])
    given = whole_numbers(nodes, rows, 32)
    text = module_text("reduce_scatter", before, after, kind="sum")
    assert_levels(at_every_level(text, target, given), given.sum(0))


def test_reduce_scatter_along_the_last_dimension() -> None:
    before = tensor((2, 3), "FP32", ["3 by col step 1", "4 by row step 2", "96"])
    after = tensor((2, 3), "FP32", ["4 by row step 2", "96 by col step 32"])
    given = whole_numbers(3, 4, 96)
    text = module_text("reduce_scatter", before, after, kind="sum")
    assert_levels(at_every_level(text, TINY, given), given.sum(0))


@pytest.mark.parametrize("fmt", ["FP32", "BF16"])
@pytest.mark.parametrize("algorithm", ["auto", "ring", "direct"])
def test_all_gather(fmt: str, algorithm: str) -> None:
    """Shards of 16 along the last dimension, of which the last are short or empty."""
    before = tensor((2, 3), fmt, ["5", "90 by row col step 16"])
    after = tensor((2, 3), fmt, ["5", "90 physical 96"])
    given = np.random.default_rng(2).integers(-99, 99, (5, 90)).astype(np.float32)
    text = module_text("all_gather", before, after, algorithm=algorithm)
    assert_levels(at_every_level(text, TINY, given), given)


def test_all_gather_of_one_axis_with_holes() -> None:
    grid = grid_of(HOLES)
    before = tensor(grid, "FP32", [f"{2 * grid[0]} by row step 2", f"{4 * grid[1]} by col step 4"])
    after = tensor(grid, "FP32", [f"{2 * grid[0]}", f"{4 * grid[1]} by col step 4"])
    given = whole_numbers(2 * grid[0], 4 * grid[1])
    assert_levels(at_every_level(module_text("all_gather", before, after), HOLES, given), given)


@pytest.mark.parametrize("op", ["all_reduce", "reduce_scatter", "all_gather"])
def test_an_axis_of_one_node_is_a_copy(op: str) -> None:
    target = replace(TINY, die=replace(TINY.die, rows=1))
    whole, shard = (tensor((1, 3), "FP32", [dim]) for dim in ("48", "48 by row step 48"))
    terms = tensor((1, 3), "FP32", ["1 by row step 1", "48"])
    before = shard if op == "all_gather" else terms
    properties = {} if op == "all_gather" else {"kind": "sum"}
    given = whole_numbers(48) if op == "all_gather" else whole_numbers(1, 48)
    text = module_text(op, before, shard if op == "reduce_scatter" else whole, **properties)
    assert_levels(at_every_level(text, target, given), given.reshape(48))


def test_a_copy_between_buffers_of_different_sizes_is_refused() -> None:
    target = replace(TINY, die=replace(TINY.die, rows=1))
    types = (tensor((1, 3), "FP32", [dim]) for dim in ("48 by row step 48", "48 physical 64"))
    with pytest.raises(UnsupportedError, match="a copy of 192 B to a buffer of 256 B"):
        tiled(module_text("all_gather", *types), target)


@pytest.mark.parametrize(("axis", "size"), [("outer_col", 2), ("inner_col", 3)])
@pytest.mark.parametrize("algorithm", ["ring", "direct"])
def test_a_part_of_the_columns(axis: str, size: int, algorithm: str) -> None:
    target = replace(TINY, die=replace(TINY.die, cols=6))
    before = tensor((2, 6), "FP32", [f"{size} by {axis} step 1", "80"], " split 1 x 2")
    given = whole_numbers(size, 80)
    text = module_text(
        "all_reduce", before, tensor((2, 6), "FP32", ["80"]), kind="sum", algorithm=algorithm
    )
    assert_levels(at_every_level(text, target, given), given.sum(0))


def test_an_axis_that_leaves_nodes_out_is_refused() -> None:
    target = replace(TINY, die=replace(TINY.die, cols=5))
    before = tensor((2, 5), "FP32", ["2 by inner_col step 1", "80"], " split 1 x 2")
    text = module_text("all_reduce", before, tensor((2, 5), "FP32", ["80"]), kind="sum")
    with pytest.raises(UnsupportedError, match="axis inner_col leaves nodes of the grid out"):
        tiled(text, target)


def test_text_reads_back_and_compiles_from_the_mesh_level() -> None:
    before = tensor((2, 3), "FP32", ["6 by row col step 1", "64"])
    text = module_text("all_reduce", before, tensor((2, 3), "FP32", ["64"]), kind="sum")
    context = DojoContext()
    printed = print_module(parse_module(context, text))
    assert printed == print_module(parse_module(DojoContext(), printed))
    options = Options(target=TINY)
    compiled = compile_model(f"builtin.module {{\n{text}}}".encode(), options)
    above = [step.make.name for step in NN_PIPELINE] + ["shard"]
    passes = chosen_passes(options, PIPELINE, None)
    below = [each.name for each in passes if each.takes in ("mesh", "tile")]
    assert not set(compiled.passes) & set(above)
    assert list(compiled.passes) == ["import", *below, "emit"]
    given = whole_numbers(6, 64)
    assert compiled.program is not None
    found = run(compiled.program, {"arg0": given}).outputs["result0"]
    assert np.array_equal(found, given.sum(0))


TERMS = "6 by row col step 1"
WRONG = [
    ("all_reduce", [TERMS, "64"], ["64"], {"kind": "product"}, "kind 'product' is none of"),
    ("all_reduce", [TERMS, "64"], ["64"], {"kind": "sum", "algorithm": "magic"}, "'magic' is none"),
    ("all_reduce", [TERMS, "64"], ["32"], {"kind": "sum"}, "do not give a result"),
    ("all_reduce", ["6 by row step 3", "64"], ["64"], {"kind": "sum"}, "dimension 0 must be 2 by"),
    ("all_reduce", [TERMS, "64"], ["64 physical 80"], {"kind": "sum"}, "must lie as the operand"),
    ("reduce_scatter", [TERMS, "64"], ["64"], {"kind": "sum"}, "differ in one dimension, not in"),
    ("reduce_scatter", [TERMS, "64"], ["64 by row step 32"], {"kind": "sum"}, "by row col on one"),
    ("all_gather", ["64 by row step 32"], ["96"], {}, "gathered to"),
    ("all_gather", ["64 by row step 32"], ["64 by col step 32"], {}, "on one side only"),
    ("all_gather", ["64 by row step 32 extent 40"], ["64"], {}, "must not overlap"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "before", "after", "properties", "words"), WRONG)
def test_wrong_ops_are_named(
    op: str, before: list, after: list, properties: dict, words: str
) -> None:
    types = (tensor((2, 3), "FP32", dims) for dims in (before, after))
    module = parse_module(DojoContext(), module_text(op, *types, **properties))
    with pytest.raises(VerifyException, match=f"mesh.{op}: .*{words}"):
        module.verify()


def test_reductions_are_not_of_narrow_formats() -> None:
    types = (tensor((2, 3), "BF16", dims) for dims in ([TERMS, "64"], ["64"]))
    module = parse_module(DojoContext(), module_text("all_reduce", *types, kind="sum"))
    with pytest.raises(VerifyException, match="terms are kept in BF16"):
        module.verify()


def test_operand_and_result_share_grid_and_format() -> None:
    types = (tensor(grid, "FP32", ["64 by row step 32"]) for grid in ((2, 3), (2, 2)))
    module = parse_module(DojoContext(), module_text("all_gather", *types))
    with pytest.raises(VerifyException, match="must share grid and format"):
        module.verify()


def tiled(text: str, target: Target | None) -> None:
    context = DojoContext(target=target)
    run_pipeline(context, parse_module(context, text), parse_passes("tile"))


def test_the_tile_pass_needs_a_target() -> None:
    types = (tensor((2, 3), "FP32", dims) for dims in ([TERMS, "64"], ["64"]))
    with pytest.raises(UsageError, match="becomes steps for a target"):
        tiled(module_text("all_reduce", *types, kind="sum"), None)
