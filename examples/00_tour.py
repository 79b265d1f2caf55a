"""One small model through every level: each is printed, run, and compared with NumPy.

    python examples/00_tour.py

Look at how the matrix product changes: an op on tensors (nn), an op on tensors that say where they
live (mesh), a loop over buffers (tile), instructions (disa), words (program).
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import numpy as np
from show import SMALL, check, head

import dojocc
from dojocc.compiler import Options, compile_model
from dojocc.dialects.interpret_mesh import run_mesh
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.interpret_tile import run_tile
from dojocc.dialects.printing import print_module
from dojocc.runtime.isa.disasm import listing
from dojocc.runtime.program import to_bytes
from dojocc.runtime.timing import time_program

MODEL = """\
model tour(x: f32[32, 64]) -> (y: f32[32, 10]) {
  weights "tour.npz"
  one = weight "one"
  bias = weight "bias"
  two = weight "two"
  hidden = relu(x @ one + bias)
  y = softmax(hidden @ two, axis=-1)
}
"""
SOURCE = Path("tour.dojotext")
ALLOWED = 2e-2  # BF16 has 8 bits of mantissa


def numpy_model(x: np.ndarray, w: dict[str, np.ndarray]) -> np.ndarray:
    """The same in NumPy."""
    hidden = np.maximum(x @ w["one"] + w["bias"], 0)
    scores = np.exp(hidden @ w["two"])
    return scores / scores.sum(-1, keepdims=True)


def main() -> None:
    random = np.random.default_rng(0)
    arrays = {
        "one": random.normal(size=(64, 48)).astype(np.float32) / 8,
        "bias": random.normal(size=48).astype(np.float32),
        "two": random.normal(size=(48, 10)).astype(np.float32) / 7,
    }
    inputs = {"x": random.normal(size=(32, 64)).astype(np.float32)}
    want = numpy_model(inputs["x"], arrays)
    np.savez("tour.npz", **arrays)  # pyright: ignore[reportArgumentType]
    SOURCE.write_text(MODEL)
    options = Options(target=SMALL)
    head("the model", MODEL)

    nn = compile_model(SOURCE, options, stop_at="nn")
    head("nn: what is computed", print_module(nn.module), 30)
    check("nn, reference interpreter", run_nn(nn.context, nn.module, inputs)["y"], want, ALLOWED)

    mesh = compile_model(SOURCE, options, stop_at="mesh")
    head("mesh: where it lives, and what moves", print_module(mesh.module), 24)
    result = run_mesh(mesh.context, mesh.module, inputs)
    check("mesh, reference interpreter", result["y"], want, ALLOWED)

    tile = compile_model(SOURCE, options, stop_at="tile")
    head("tile: loops over buffers", print_module(tile.module), 24)
    result = run_tile(tile.module, inputs, tile.context.resources).outputs
    check("tile, reference interpreter", result["y"], want, ALLOWED)

    disa = compile_model(SOURCE, options, stop_at="disa")
    head("disa: instructions", print_module(disa.module), 24)

    program = dojocc.compile(SOURCE, target=SMALL)
    head("program: words", listing(program), 30)
    slow = dojocc.Session(program, engine="reference").run(None, inputs)[0]
    check("program, reference engine", slow, want, ALLOWED)
    session = dojocc.Session(program, mode="exact")
    fast = session.run(None, inputs)[0]
    check("program, vector engine", fast, want, ALLOWED)
    if not np.array_equal(slow, fast):
        raise SystemExit("the engines differ, though the mode is exact")
    timing = time_program(program)
    print(
        f"\nengines equal bit for bit; {len(to_bytes(program))} bytes of program; "
        f"{timing.cycles} cycles predicted (+-{timing.error_band:.0%})"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        main()
