"""Does a small nn module fail, and how: the question that `dojocc reduce` asks again and again.

`failure_of` compiles a module, runs its streams on random inputs, and compares the outputs with the
references. What it finds is told by kind and place, so that two failures can be called the same.
"""

from __future__ import annotations

import re
import traceback
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import ReturnOp
from xdsl.ir import SSAValue

from dojocc.compiler import chosen_passes
from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import input_names, main_function, result_names
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.nn import evaluate
from dojocc.dialects.numerics import MACHINE, PLAIN
from dojocc.dialects.op import NNOp
from dojocc.dialects.types import FLOATS, as_element, dtype_of
from dojocc.options import Options
from dojocc.passes.base import Pass
from dojocc.passes.emit import emit_program
from dojocc.passes.pipeline import PIPELINE, run_pipeline
from dojocc.runtime.engines import run
from dojocc.runtime.errors import DojoError

WAYS = ("compile", "run", "compare")
Arrays = Mapping[str, np.ndarray]
NEAR = {"fp32": (1e-6, 1e-4), "bf16": (4e-3, 2e-2)}
"""By precision: the relative noise put on every value on the way, and the relative error that is
fine whatever the noise does."""
NAMED = re.compile(r"'[^']*'|\d+")
"""Names and numbers in an error's words, which are others in a smaller model."""
NOISE_ROOM = 30
"""How many times what noise changes in a result its error may be."""


@dataclass(frozen=True)
class Failure:
    """`sort` is `refused`, `internal` or `numbers`; `place` says where, `text` all there is."""

    sort: str
    place: str
    text: str

    @staticmethod
    def of(error: Exception) -> Failure:
        """An error of ours is known by what it says, any other by where it came up."""
        if isinstance(error, DojoError):
            what = NAMED.sub("?", error.what)
            return Failure("refused", f"{type(error).__name__}: {what}", str(error))
        text = "".join(traceback.format_exception(error))
        return Failure("internal", place_of(error), text)

    def same(self, other: Failure | None) -> bool:
        """The same failure, as far as can be told without knowing its cause."""
        return other is not None and (self.sort, self.place) == (other.sort, other.place)


def failure_of(
    module: ModuleOp,
    context: DojoContext,
    options: Options,
    way: str = "compare",
    inputs: Arrays | None = None,
    trusted: Callable[[str], bool] = lambda name: True,
) -> Failure | None:
    """What goes wrong when the module is compiled (and run, and compared), or None.

    The module is left as it is. Outputs that are not `trusted` are compared with the reference of
    the fused module only, bit for bit: behind a comparison or a floor, rounding may change all.
    """
    try:
        return _failure_of(module, context, options, way, inputs, trusted)
    except Exception as error:
        return Failure.of(error)


def place_of(error: BaseException) -> str:
    """The kind of an exception, with the file and function of ours that it came through last."""
    frames = traceback.extract_tb(error.__traceback__)
    root = str(Path(__file__).resolve().parents[1])
    ours = [each for each in frames if str(Path(each.filename).resolve()).startswith(root)]
    last = (ours or frames)[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}, {last.name}"


def _failure_of(
    module: ModuleOp,
    context: DojoContext,
    options: Options,
    way: str,
    inputs: Arrays | None,
    trusted: Callable[[str], bool],
) -> Failure | None:
    own = DojoContext(target=options.machine(), resources=dict(context.resources))
    work, fused = module.clone(), []

    def keep(each: Pass, changed: ModuleOp) -> None:
        if each.name == "precision":
            held = DojoContext(resources=dict(own.resources))
            fused.append((held, changed.clone()))

    run_pipeline(own, work, chosen_passes(options, PIPELINE, None), keep)
    program = emit_program(own, work)
    if way == "compile":
        return None
    arrays = random_inputs(module) if inputs is None else inputs
    read = {port.name: arrays[port.name] for port in program.inputs}  # not what no op reads
    found = run(program, read, "vector", "exact").outputs
    if way == "run":
        return None
    judge, judged = fused[-1]
    wanted = run_nn(judge, judged, arrays, MACHINE)
    return differing(found, wanted) or far(
        module, context, options.precision, arrays, found, trusted
    )


def random_inputs(module: ModuleOp) -> dict[str, np.ndarray]:
    """An array for every input, the same whenever it has this name and shape."""
    function, arrays = main_function(module), {}
    for name, type in zip(input_names(function), function.function_type.inputs, strict=True):
        assert isinstance(type, TensorType)
        random = np.random.default_rng(zlib.crc32(name.encode()))
        array = random.standard_normal(type.get_shape())
        if type.element_type not in FLOATS:
            array = np.rint(array * 4)
        dtype = dtype_of(type.element_type)
        arrays[name] = array > 0 if dtype == np.bool_ else as_element(array, type.element_type)
    return arrays


def differing(found: Arrays, wanted: Arrays) -> Failure | None:
    """Outputs that are not the fused module's bit for bit, but for the sign of 0 and which NaN."""
    for name, array in wanted.items():
        if found[name].shape != array.shape or found[name].dtype != array.dtype:
            text = f"{name}: {found[name].dtype}{found[name].shape}, not {array.dtype}{array.shape}"
            return Failure("numbers", "types of outputs", text)
        if not np.array_equal(found[name], array, equal_nan=array.dtype == np.float32):
            text = (
                f"{name}\nstreams {found[name].reshape(-1)[:20]}\nwanted {array.reshape(-1)[:20]}"
            )
            return Failure("numbers", "streams and fused module", text)
    return None


def far(
    module: ModuleOp,
    context: DojoContext,
    precision: str,
    inputs: Arrays,
    found: Arrays,
    trusted: Callable[[str], bool],
) -> Failure | None:
    """Trusted outputs further from the imported module's than rounding explains."""
    noise, least = NEAR[precision]
    plain = run_nn(context, module, inputs, PLAIN)
    shaken = [noisy(context, module, inputs, noise, seed) for seed in range(3)]
    for name, array in plain.items():
        if not trusted(name):
            continue
        if array.dtype != np.float32:
            # Whole numbers are the same, unless they come of rounded ones: then noise shows it.
            if all(np.array_equal(each[name], array) for each in shaken):
                if not np.array_equal(found[name], array):
                    return Failure("numbers", "streams and imported module", name)
            continue
        off = distance(found[name], array)
        room = least * float(np.linalg.norm(array[np.isfinite(array)]))
        room += NOISE_ROOM * max(distance(each[name], array) for each in shaken) + 1e-30
        if not off <= room:
            text = (
                f"{name}: {off:.2e} off, {room:.2e} allowed\nstreams {found[name].reshape(-1)[:20]}"
            )
            text += f"\nwanted {array.reshape(-1)[:20]}"
            return Failure("numbers", "streams and imported module", text)
    return None


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """The L2 norm of the difference; infinite where they are not finite at the same places."""
    finite = np.isfinite(other)
    if not np.array_equal(one[~finite], other[~finite], equal_nan=True):
        return float("inf")
    return float(np.linalg.norm(one[finite].astype(np.float64) - other[finite]))


def noisy(
    context: DojoContext, module: ModuleOp, inputs: Arrays, size: float, seed: int
) -> dict[str, np.ndarray]:
    """The module's results with relative noise of a size wherever floats are computed."""
    function, random = main_function(module), np.random.default_rng(seed)
    block = function.body.block

    def shaken(array: np.ndarray) -> np.ndarray:
        if array.dtype != np.float32:
            return array
        factor = 1 + size * random.standard_normal(array.shape)
        with np.errstate(all="ignore"):
            return np.asarray(array * factor, np.float32)

    known: dict[SSAValue, np.ndarray] = {}
    for argument, name in zip(block.args, input_names(function), strict=True):
        known[argument] = shaken(inputs[name])
    for op in block.ops:
        arrays: list[Any] = [known[value] for value in op.operands]
        if isinstance(op, ReturnOp):
            return dict(zip(result_names(function), arrays, strict=True))
        with np.errstate(all="ignore"):
            values = evaluate(op, arrays, PLAIN, context.resources)
        rounds = isinstance(op, NNOp) and op.FUSIBLE not in ("structure", "movement", "indexing")
        rounds = rounds and op.name != "nn.convert"  # whole numbers stay whole
        known.update(zip(op.results, map(shaken, values) if rounds else values, strict=True))
    raise AssertionError("no return")
