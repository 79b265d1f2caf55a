"""The model's function: `func.func @main` with a name for every input and result.

Names stand in the argument and result attribute dictionaries as `nn.name`.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Region, SSAValue

from dojocc.runtime.errors import InputError

NAME = "nn.name"
MAIN = "main"


def main_function(module: ModuleOp) -> FuncOp:
    """The function `main`, or the only function of the module."""
    functions = [op for op in module.ops if isinstance(op, FuncOp)]
    named = [op for op in functions if op.sym_name.data == MAIN]
    if len(named or functions) != 1:
        raise InputError(
            "the module needs one function named @main",
            numbers=f"it has {len(functions)} functions",
        )
    return (named or functions)[0]


def make_function(
    body: Region,
    inputs: Sequence[str],
    results: Sequence[str],
    result_values: Sequence[SSAValue],
    name: str = MAIN,
) -> FuncOp:
    """A function around a finished one-block region that ends with func.return."""
    types = ([arg.type for arg in body.block.args], [value.type for value in result_values])
    function = FuncOp(name, types, body)
    set_names(function, inputs, results)
    return function


def set_names(function: FuncOp, inputs: Sequence[str], results: Sequence[str]) -> None:
    """Name every input and result."""
    kinds = (
        ("input", inputs, function.function_type.inputs.data),
        ("result", results, function.function_type.outputs.data),
    )
    for what, names, types in kinds:
        if len(names) != len(types) or len(set(names)) != len(names):
            raise InputError(
                f"function @{function.sym_name.data} needs one distinct name for each {what}",
                numbers=f"{len(types)} {what}s, names {', '.join(names) or 'none'}",
            )
    function.properties["arg_attrs"] = _dictionaries(inputs)
    function.properties["res_attrs"] = _dictionaries(results)


def input_names(function: FuncOp) -> list[str]:
    """Names of the inputs; `arg0`, ... where none is given."""
    return _names(function.arg_attrs, len(function.function_type.inputs.data), "arg")


def result_names(function: FuncOp) -> list[str]:
    """Names of the results; `result0`, ... where none is given."""
    return _names(function.res_attrs, len(function.function_type.outputs.data), "result")


def returned(function: FuncOp) -> tuple[SSAValue, ...]:
    """The values the function returns."""
    last = function.get_return_op()
    if not isinstance(last, ReturnOp):
        raise InputError(f"function @{function.sym_name.data} does not end with func.return")
    return tuple(last.operands)


def _dictionaries(names: Sequence[str]) -> ArrayAttr[DictionaryAttr]:
    return ArrayAttr([DictionaryAttr({NAME: StringAttr(name)}) for name in names])


def _names(rows: ArrayAttr[DictionaryAttr] | None, count: int, prefix: str) -> list[str]:
    found = [row.data.get(NAME) for row in rows.data] if rows is not None else [None] * count
    return [
        name.data if isinstance(name, StringAttr) else f"{prefix}{number}"
        for number, name in enumerate(found)
    ]
