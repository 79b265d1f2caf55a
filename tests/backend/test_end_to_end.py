"""Tile programs through allocate, route, select and emit, run on both engines of 2 x 3 nodes."""

from __future__ import annotations

import numpy as np
import pytest
from backend_cases import TileModule, lower, run_all
from kernel_cases import fused, layout, random
from xdsl.dialects.builtin import bf16, f32

from dojocc.dialects.interpret_tile import run_tile
from dojocc.dialects.numerics import MACHINE
from dojocc.dialects.types import as_element, tensor
from dojocc.passes.solve.physical import round_up
from dojocc.runtime.program import from_bytes, to_bytes


def matmul(m: int, k: int, n: int, element: object) -> object:
    """relu(x w + b)."""

    def build(b, x, w, c):
        y = b(
            "dot_general",
            x,
            w,
            lhs_batch=(),
            rhs_batch=(),
            lhs_contract=(1,),
            rhs_contract=(0,),
        )
        y = b("add", y, b("broadcast_in_dim", c, dims=(1,), shape=(m, n)))
        return b("maximum", y, b.splat(0.0, y))

    types = [tensor((m, k), element), tensor((k, n), element), tensor((n,), f32)]
    return fused(types, element, build)


def two_layers(element: object) -> tuple[TileModule, dict[str, np.ndarray], np.ndarray]:
    """Two dense layers with a re-sharding between them, and what they compute in machine order."""
    name = "BF16" if element == bf16 else "FP32"
    m, k, n, p = 10, 12, 20, 7
    built = TileModule()
    rows = {0: (("row",), 8)}
    x = built.input("x", layout((m, k), name, rows, {0: 8}))
    arrays = {
        "w1": random(1, k, n),
        "b1": random(2, n),
        "w2": random(3, n, p),
        "b2": random(4, p),
    }
    first = {1: (("col",), 8)}
    w1 = built.image("w1", layout((k, n), name, first, {0: round_up(k, 4)}), arrays["w1"])
    b1 = built.image("b1", layout((n,), "FP32", {0: (("col",), 8)}), arrays["b1"])
    w2 = built.image("w2", layout((n, p), name, {}, {0: round_up(n, 4)}), arrays["w2"])
    b2 = built.image("b2", layout((p,), "FP32"), arrays["b2"])
    hidden = built.buffer("hidden", layout((m, n), name, rows | first, {0: 8}))
    gathered = built.buffer("gathered", layout((m, n), name, rows, {0: 8}))
    y = built.buffer("y", layout((m, p), name, rows, {0: 8}))
    constant = (False, True, True)
    one, two = matmul(m, k, n, element), matmul(m, n, p, element)
    built.compute(one, [x, w1, b1], [hidden], "first", constant)
    built.exchange(gathered, [hidden], location="node 'second'")
    built.compute(two, [gathered, w2, b2], [y], "second", constant)
    built.output("y", y)
    given = {"x": random(5, m, k)}
    value = as_element(given["x"], element)
    for op, weight, bias in ((one, "w1", "b1"), (two, "w2", "b2")):
        (value,) = op.reference([value, as_element(arrays[weight], element), arrays[bias]], MACHINE)
    return built, given, value


@pytest.mark.parametrize("element", (bf16, f32), ids=("matrix", "lanes"))
def test_two_layers_with_an_exchange(element: object) -> None:
    built, inputs, wanted = two_layers(element)
    program = lower(built.context(), built.module())
    np.testing.assert_array_equal(run_all(program, inputs)["y"], wanted)


def test_the_interpreter_of_the_tile_level_agrees() -> None:
    built, inputs, wanted = two_layers(bf16)
    found = run_tile(built.module(), inputs, built.resources).outputs["y"]
    np.testing.assert_array_equal(found, wanted)


def test_the_program_file_is_the_same_each_time_and_survives_loading() -> None:
    files = []
    for _ in range(2):
        built, inputs, wanted = two_layers(bf16)
        files.append(to_bytes(lower(built.context(), built.module())))
    assert files[0] == files[1]
    np.testing.assert_array_equal(run_all(from_bytes(files[0]), inputs)["y"], wanted)


def test_changing_an_instruction_changes_the_run() -> None:
    built, inputs, wanted = two_layers(f32)
    ctx, module = built.context(), built.module()
    program = lower(ctx, module)
    grid = program.cls("grid")
    vfma = np.flatnonzero(grid.code >> 24 == 0x76)
    assert len(vfma), "no FMA in the kernels"
    grid.code[vfma[0]] = (0x77 << 24) | (int(grid.code[vfma[0]]) & 0xFFFF00)  # vacc instead
    assert not np.array_equal(run_all(program, inputs)["y"], wanted)
