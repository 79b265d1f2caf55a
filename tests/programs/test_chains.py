"""Products in chains, by slices that are brought or by chunks of an exchange: the same at every
level, and near the product that is not cut."""

from __future__ import annotations

import numpy as np
import pytest
from program_levels import TARGETS, Lowered, assert_near, assert_same, lower_module

from dojocc.dialects.context import DojoContext
from dojocc.frontends.text import parse_text
from dojocc.passes.solve.chunking import Panels, depth_that_fits
from dojocc.runtime.targets import load_target

DENSE = """
model dense(a: f32[{m}, {k}], b: f32[{k}, {n}], c: f32[{n}]) -> (y: f32[{m}, {n}]) {{
  y = relu(a @ b + c)
}}
"""
STACK = """
model stack(a: f32[{m}, {k}], b: f32[{k}, {n}], c: f32[{n}, {k}]) -> (y: f32[{m}, {k}]) {{
  h = relu(a @ b)
  y = softmax(h, axis=-1) @ c
}}
"""


def lowered(text: str, sizes: tuple[int, int, int], options: dict, precision: str) -> Lowered:
    """Compiled for the small target with these options; inputs from a seed."""
    m, k, n = sizes
    shapes = {"a": (m, k), "b": (k, n), "c": (n, k) if "stack" in text else (n,)}
    random = np.random.default_rng(m * k + n)
    inputs = {
        name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()
    }
    context = DojoContext(target=load_target(TARGETS / "tiny.toml"))
    module = parse_text(text.format(m=m, k=k, n=n), context, "chain")
    return lower_module(context, module, inputs, precision, options)


def check(found: Lowered) -> int:
    """All levels below nn agree bit for bit; how many parts add to sums before them."""
    plain, wanted = found.plain(), found.on_mesh()
    assert_near(wanted, plain, 2e-2, "the mesh module")
    assert_same(found.on_tiles(), wanted, "the tile module")
    judged, _ = found.engine("reference", "exact")
    assert_same(judged, wanted, "the reference engine")
    exact, counters = found.engine("vector", "exact")
    assert_same(exact, judged, "the vector engine in exact mode")
    assert counters.lifted_share > 0.99, counters.reasons
    return str(found.mesh.module).count("nn.dot_general")


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("sizes", [(48, 200, 72), (31, 260, 57), (16, 192, 120)])
def test_slices_that_are_brought(sizes: tuple[int, int, int], precision: str) -> None:
    """A last block of eight columns (24 a node), tails, and a last slice of another size."""
    m, k, n = sizes
    panels = Panels((m, n), k, 2 if precision == "bf16" else 4, 4, (2, 3))
    sram = next(each for each in range(1 << 16, 1 << 20, 512) if depth_that_fits(panels, each) < k)
    found = lowered(DENSE, sizes, {"cut-depth": {"sram": sram}}, precision)
    assert check(found) > 1


@pytest.mark.parametrize("size", [16, 32])
def test_chunks_of_an_exchange(size: int) -> None:
    """The second product reads what a row kernel made, by an exchange."""
    found = lowered(STACK, (40, 72, 56), {"chunk": {"size": size}}, "bf16")
    assert check(found) >= 2


def test_sums_are_updated_in_place() -> None:
    """However many parts, one buffer of sums: the plan does not grow with their number."""
    sram = {"cut-depth": {"sram": (96 << 10) + 60_000}}
    few = lowered(DENSE, (48, 512, 72), sram, "bf16")
    allocs = [line for line in str(few.tile.module).splitlines() if "tile.alloc" in line]
    assert sum("FP32" in line and "48 by" in line for line in allocs) <= 2, allocs
    assert check(few) > 2
