"""The model's function: `func.func @main` with a name for every input and result.

Names stand in the argument and result attribute dictionaries as `nn.name`, and what an input or
result is to training, if anything, as `nn.role`.
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FunctionType, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Region, SSAValue

from dojocc.runtime.errors import InputError

NAME = "nn.name"
ROLE = "nn.role"
MAIN = "main"
PARAMETER, BUFFER, STATE, SETTING = "parameter", "buffer", "state", "setting"
"""Roles of inputs: what is trained, what is kept beside it (running statistics), what the optimizer
remembers, and numbers given anew each step. An input without a role is data."""
LOSS, GRADIENT, OBSERVED = "loss", "gradient", "observed"
"""Roles of results, beside those of inputs: a result with one of these is the next step's input."""

Row = dict[str, Attribute]


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


def input_rows(function: FuncOp) -> list[Row]:
    """The attributes of every input, its name among them."""
    return _rows(function.arg_attrs, input_names(function))


def result_rows(function: FuncOp) -> list[Row]:
    """The attributes of every result, its name among them."""
    return _rows(function.res_attrs, result_names(function))


def row(name: str, role: str | None = None) -> Row:
    """The attributes of an input or result with this name and role."""
    found: Row = {NAME: StringAttr(name)}
    return found if role is None else found | {ROLE: StringAttr(role)}


def role_of(attributes: Row) -> str | None:
    """The role in a row of attributes."""
    role = attributes.get(ROLE)
    return role.data if isinstance(role, StringAttr) else None


def input_roles(function: FuncOp) -> list[str | None]:
    """The role of every input."""
    return [role_of(each) for each in input_rows(function)]


def result_roles(function: FuncOp) -> list[str | None]:
    """The role of every result."""
    return [role_of(each) for each in result_rows(function)]


def set_rows(function: FuncOp, inputs: Sequence[Row], results: Sequence[Row]) -> None:
    """The attributes of all inputs and results, and the function's type by what it has now."""
    types = [arg.type for arg in function.body.block.args]
    found = [value.type for value in returned(function)]
    function.properties["function_type"] = FunctionType.from_lists(types, found)
    names = ([name_of(each) for each in rows] for rows in (inputs, results))
    set_names(function, *names)
    function.properties["arg_attrs"] = ArrayAttr([DictionaryAttr(each) for each in inputs])
    function.properties["res_attrs"] = ArrayAttr([DictionaryAttr(each) for each in results])


def name_of(attributes: Row) -> str:
    """The name in a row of attributes."""
    name = attributes[NAME]
    assert isinstance(name, StringAttr)
    return name.data


def _rows(held: ArrayAttr[DictionaryAttr] | None, names: Sequence[str]) -> list[Row]:
    found = [dict(each.data) for each in held.data] if held is not None else [{} for _ in names]
    return [each | {NAME: StringAttr(name)} for each, name in zip(found, names, strict=True)]


def returned(function: FuncOp) -> tuple[SSAValue, ...]:
    """The values the function returns."""
    last = function.get_return_op()
    if not isinstance(last, ReturnOp):
        raise InputError(f"function @{function.sym_name.data} does not end with func.return")
    return tuple(last.operands)


def set_returned(function: FuncOp, values: Sequence[SSAValue]) -> None:
    """Let the function return these values; its type and rows are `set_rows`'s."""
    last = function.get_return_op()
    assert last is not None
    last.operands = values


def _dictionaries(names: Sequence[str]) -> ArrayAttr[DictionaryAttr]:
    return ArrayAttr([DictionaryAttr({NAME: StringAttr(name)}) for name in names])


def _names(rows: ArrayAttr[DictionaryAttr] | None, count: int, prefix: str) -> list[str]:
    found = [row.data.get(NAME) for row in rows.data] if rows is not None else [None] * count
    return [
        name.data if isinstance(name, StringAttr) else f"{prefix}{number}"
        for number, name in enumerate(found)
    ]
