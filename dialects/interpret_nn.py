"""Run a module of the nn level on NumPy arrays: the meaning every later level is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Operation, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import input_names, main_function, result_names
from dojocc.dialects.nn import evaluate
from dojocc.dialects.numerics import PLAIN, Numerics
from dojocc.dialects.types import as_element, dtype_of, text_of
from dojocc.runtime.errors import InputError

Capture = Callable[[Operation, Sequence[np.ndarray]], None]


def run_nn(
    ctx: DojoContext,
    module: ModuleOp,
    inputs: Mapping[str, np.ndarray] | Sequence[np.ndarray],
    numerics: Numerics = PLAIN,
    capture: Capture | None = None,
) -> dict[str, np.ndarray]:
    """Results of the module's function by name; `capture(op, values)` sees every op's results.

    bf16 inputs are rounded as the host would; results are float32, int32 or bool arrays.
    """
    function = main_function(module)
    block = function.body.block
    arguments = checked_inputs(function, inputs)
    environment: dict[SSAValue, np.ndarray] = dict(zip(block.args, arguments, strict=True))
    remaining: dict[SSAValue, int] = {
        value: value.uses.get_length() for op in block.ops for value in op.results
    }
    for op in block.ops:
        arrays = [environment[value] for value in op.operands]
        if isinstance(op, ReturnOp):
            return dict(zip(result_names(function), arrays, strict=True))
        values = evaluate(op, arrays, numerics, ctx.resources)
        if capture is not None:
            capture(op, values)
        environment.update(zip(op.results, values, strict=True))
        _release(op, environment, remaining)
    raise InputError(f"function @{function.sym_name.data} does not end with func.return")


def _release(
    op: Operation, environment: dict[SSAValue, np.ndarray], remaining: dict[SSAValue, int]
) -> None:
    """Drop arrays whose last use this op was, so that large models keep little alive."""
    for value in op.operands:
        if value in remaining:
            remaining[value] -= 1
            if remaining[value] == 0:
                del environment[value]


def checked_inputs(
    function: FuncOp, inputs: Mapping[str, np.ndarray] | Sequence[np.ndarray]
) -> list[np.ndarray]:
    names = input_names(function)
    if isinstance(inputs, Mapping):
        missing = [name for name in names if name not in inputs]
        extra = [name for name in inputs if name not in names]
        if missing or extra:
            raise InputError(
                "inputs do not match the model's",
                numbers=f"missing: {', '.join(missing) or 'none'}; "
                f"unknown: {', '.join(extra) or 'none'}",
                help=f"the model's inputs are {', '.join(names)}",
            )
        arrays = [inputs[name] for name in names]
    else:
        arrays = list(inputs)
        if len(arrays) != len(names):
            raise InputError(
                "inputs do not match the model's",
                numbers=f"{len(arrays)} given, {len(names)} needed: {', '.join(names)}",
            )
    types = function.function_type.inputs.data
    return [_checked(*row) for row in zip(names, arrays, types, strict=True)]


def _checked(name: str, array: np.ndarray, type: object) -> np.ndarray:
    assert isinstance(type, TensorType)
    array = np.asarray(array)
    if array.shape != type.get_shape():
        raise InputError(
            f"input '{name}' has the wrong shape",
            numbers=f"{list(array.shape)} given, {text_of(type)} needed",
        )
    wanted = dtype_of(type.element_type)
    if array.dtype != wanted:
        raise InputError(
            f"input '{name}' has the wrong type",
            numbers=f"{array.dtype} given, {wanted} needed",
            help=f"convert it with .astype(numpy.{wanted})",
        )
    return as_element(array, type.element_type)
