"""The Python API: `compile` a model, `load` a program. Sessions are in session.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dojocc.cache import Cache
from dojocc.compiler import After, compile_cached, compile_model
from dojocc.frontends.read import opened
from dojocc.options import Defects, Options, Shapes
from dojocc.runtime.program import Program
from dojocc.runtime.program import load as load_program
from dojocc.runtime.target import Target

__all__ = ["compile", "load"]


def compile(
    model: Any,
    target: str | Path | Target = "d1-die",
    precision: str = "bf16",
    shapes: Shapes | None = None,
    defects: Defects | None = None,
    optimize: int = 2,
    seed: int = 0,
    after: After | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    dram: bool = True,
    cache: bool = True,
    example_inputs: Any = None,
    example_kwargs: Mapping[str, Any] | None = None,
) -> Program:
    """The program of a model.

    `model`: path (.onnx, .pt2, .stablehlo, .mlir, .dojotext), bytes, onnx.ModelProto, PyTorch
    module with `example_inputs` (positional) and `example_kwargs`, torch.export.ExportedProgram,
    JAX export or xDSL ModuleOp. `target`: name, path of a target file, or Target. `shapes`: input
    name -> sizes, where sizes are open.
    `defects`: {"nodes": [[row, col], ...], "links": [[[row, col], [row, col]], ...]}.
    Without `dram`, weights that SRAM does not hold are not loaded from DRAM as the model runs.
    `after(pass, module)` is called behind each pass, `progress(name, number, count)` before each.
    With `cache`, and where DOJOCC_CACHE_DIR names a folder, a model that was compiled before is
    read from there (cache.py); with `after` it is compiled all the same.
    Raises DojoError (dojocc.runtime.errors) with what, where, numbers and help.
    """
    options = Options(target, precision, shapes, defects, optimize, seed, dram)
    model = opened(model, example_inputs, example_kwargs)
    if after is None and cache:
        result = compile_cached(model, options, Cache.of_environment(), progress)
    else:
        result = compile_model(model, options, after=after, watch=progress)
    program = result.program
    assert program is not None
    return program


def load(path: str | Path) -> Program:
    """The program in a .dojo file."""
    return load_program(path)
