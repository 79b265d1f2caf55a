"""Mesh modules of one collective, as a user writes them, and their run at every level."""

from __future__ import annotations

import numpy as np

from dojocc.dialects.context import DojoContext
from dojocc.dialects.interpret_mesh import run_mesh
from dojocc.dialects.interpret_tile import run_tile
from dojocc.dialects.printing import parse_module
from dojocc.passes.emit import emit_program
from dojocc.passes.pipeline import PIPELINE, default_passes, run_pipeline
from dojocc.runtime.engines import run
from dojocc.runtime.program import Program
from dojocc.runtime.target import Target

ELEMENTS = {"FP32": "f32", "INT32": "i32", "BF16": "bf16"}
STEPS = PIPELINE[[step.make.name for step in PIPELINE].index("tile") :]


def tensor(grid: tuple[int, int], fmt: str, dims: list[str], split: str = "") -> str:
    """A type: dims as a layout writes them, such as `48 by row step 8`."""
    shape = "x".join(dim.split()[0] for dim in dims)
    layout = f"#mesh.layout<{fmt}, grid {grid[0]} x {grid[1]}{split}, [{', '.join(dims)}]>"
    return f"tensor<{shape}x{ELEMENTS[fmt]}, {layout}>"


def module_text(op: str, before: str, after: str, **properties: str) -> str:
    """A module of one collective from one type to another."""
    rows = {**properties, "loc": "it"}
    words = ", ".join(f'{name} = "{value}"' for name, value in rows.items())
    return (
        f"func.func @main(%x: {before}) -> {after} {{\n"
        f"  %y = mesh.{op} %x {{{words}}} : ({before}) -> {after}\n"
        f"  func.return %y : {after}\n}}\n"
    )


def at_every_level(text: str, target: Target, given: np.ndarray) -> dict[str, np.ndarray]:
    """The result of a module by what ran it: mesh, tile, and both engines."""
    context = DojoContext()
    context.target = target
    module = parse_module(context, text)
    found = {"mesh": run_mesh(context, module, [given])["result0"]}
    passes = default_passes(STEPS)
    run_pipeline(context, module, passes[:1])
    found["tile"] = run_tile(module, {"arg0": given}, context.resources).outputs["result0"]
    run_pipeline(context, module, passes[1:])
    program = emit_program(context, module)
    for engine in ("reference", "vector"):
        found[engine] = run_program(program, given, engine)
    return found


def run_program(program: Program, given: np.ndarray, engine: str) -> np.ndarray:
    return run(program, {"arg0": given}, engine=engine).outputs["result0"]
