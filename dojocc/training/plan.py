"""A training step ready to run: its program, and what each input of the step is to training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType

from dojocc.compiler import Watch, compile_model
from dojocc.dialects.function import (
    SETTING,
    STATE,
    input_names,
    input_roles,
    main_function,
    result_names,
    result_roles,
)
from dojocc.dialects.types import dtype_of
from dojocc.options import Options
from dojocc.passes.base import Pass
from dojocc.passes.descend import Descend
from dojocc.runtime.errors import UsageError
from dojocc.runtime.program import Program

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """An input or result of a step: its role (None: data), shape and dtype."""

    name: str
    role: str | None
    shape: Shape
    dtype: np.dtype


@dataclass(frozen=True, eq=False)
class Plan:
    """`inputs` and `results` in the step's order; `first` holds what parameters and buffers are at
    the beginning."""

    program: Program
    inputs: tuple[Row, ...]
    results: tuple[Row, ...]
    first: Mapping[str, np.ndarray]

    @property
    def kept(self) -> tuple[Row, ...]:
        """The inputs that a step gives anew: parameters, buffers, state."""
        return tuple(row for row in self.inputs if row.role not in (None, SETTING))

    @property
    def data(self) -> tuple[Row, ...]:
        """The inputs that come from the user, labels last."""
        return tuple(row for row in self.inputs if row.role is None)

    @property
    def samples(self) -> int:
        """How many samples a step takes: the first size of the data."""
        return next((row.shape[0] for row in self.data if row.shape), 1)


def make_plan(
    model: Any,
    options: Options,
    initial: Mapping[str, np.ndarray] | None = None,
    watch: Watch | None = None,
) -> Plan:
    """Compile a step once; `initial` gives values for inputs that are parameters."""
    rows: dict[str, tuple[Row, ...]] = {}

    def behind(each: Pass, module: ModuleOp) -> None:
        if isinstance(each, Descend):
            rows.update(rows_of(module))

    result = compile_model(model, options, after=behind, watch=watch)
    assert result.program is not None
    inputs, results = rows["inputs"], rows["results"]
    first = {name: np.asarray(array) for name, array in (initial or {}).items()}
    first = {**result.context.parameters, **first}
    for row in inputs:
        if row.role == STATE:
            first[row.name] = np.zeros(row.shape, row.dtype)
        elif row.role not in (None, SETTING):
            check_first(row, first)
    names = [row.name for row in inputs if row.role not in (None, SETTING)]
    held = {name: np.array(first[name], np.float32) for name in names}
    return Plan(result.program, inputs, results, held)


def check_first(row: Row, first: Mapping[str, np.ndarray]) -> None:
    """A parameter needs a first value of its shape."""
    if row.name not in first:
        raise UsageError(
            f"parameter '{row.name}' has no first value",
            help=f"give one of shape {list(row.shape)} with initial=",
        )
    if first[row.name].shape != row.shape:
        raise UsageError(
            f"the first value of '{row.name}' has the wrong shape",
            numbers=f"need {list(row.shape)}, have {list(first[row.name].shape)}",
        )


def rows_of(module: ModuleOp) -> dict[str, tuple[Row, ...]]:
    """Inputs and results of a step that is still a module."""
    function = main_function(module)
    types = function.function_type
    sides = {
        "inputs": (input_names(function), input_roles(function), types.inputs.data),
        "results": (result_names(function), result_roles(function), types.outputs.data),
    }
    return {side: tuple(map(row_of, *columns)) for side, columns in sides.items()}


def row_of(name: str, role: str | None, type: object) -> Row:
    assert isinstance(type, TensorType)
    return Row(name, role, tuple(type.get_shape()), dtype_of(type.element_type))
