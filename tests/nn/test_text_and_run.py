"""Printing and parsing of hard values, parse errors with a caret, and running a module by names."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp, bf16, f32, i1, i8, i32
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Region, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import main_function, make_function, result_names
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.nn import ConstantOp, LeakyReluOp, OpList, constant_properties
from dojocc.dialects.printing import parse_module, print_module
from dojocc.dialects.types import dense_of
from dojocc.runtime.errors import InputError

HARD = [1.5, np.inf, -np.inf, np.nan, 0.1, 1e-30, 16777217.0, -0.0, 3e38, np.pi, 1e-45]


def module_returning(b: OpList, values: list[SSAValue], names: list[str]) -> ModuleOp:
    block = Block()
    block.add_ops(b.ops)
    block.add_op(ReturnOp(*values))
    return ModuleOp([make_function(Region(block), [], names, values)])


def test_hard_constants_survive_text_bit_for_bit() -> None:
    rows = [
        (np.array(HARD), f32),
        (np.array([1, 2.5, np.nan, 0.1, 1e-40, -np.inf]), bf16),
        (np.array([True, False]), i1),
        (np.array([True, True]), i1),
        (np.array([-5, 2**31 - 1]), i32),
        (np.array([-128]), i8),
        (np.array(-np.inf), f32),
        (np.full((4, 4), 0.3), f32),
    ]
    b = OpList("here")
    values = [b("constant", value=dense_of(array, kind)) for array, kind in rows]
    module = module_returning(b, values, [f"r{number}" for number in range(len(rows))])
    text = print_module(module)
    again = parse_module(DojoContext(), text)
    assert print_module(again) == text
    before, after = (
        [op.array({}) for op in m.walk() if isinstance(op, ConstantOp)] for m in (module, again)
    )
    assert [a.tobytes() for a in before] == [a.tobytes() for a in after]


def test_hard_properties_survive_text_bit_for_bit() -> None:
    b = OpList("here")
    x = b("constant", value=dense_of(np.zeros(2, np.float32)))
    values = [b("leaky_relu", x, alpha=alpha) for alpha in HARD]
    module = module_returning(b, values, [f"r{number}" for number in range(len(HARD))])
    text = print_module(module)
    again = parse_module(DojoContext(), text)
    assert print_module(again) == text
    found = [op.p.alpha for op in again.walk() if isinstance(op, LeakyReluOp)]
    assert np.array(found, np.float32).tobytes() == np.array(HARD, np.float32).tobytes()


def test_names_may_hold_anything() -> None:
    name = 'Größe/é:0 "quoted"\n\\ 層'
    b = OpList(name)
    value = b("constant", resource=name, shape=(2, 3), element_type=f32)
    module = module_returning(b, [value], [name])
    text = print_module(module)
    ctx = DojoContext(resources={name: np.ones((2, 3), np.float32)})
    again = parse_module(ctx, text)
    assert print_module(again) == text
    assert result_names(main_function(again)) == [name]
    assert run_nn(ctx, again, {})[name].tolist() == [[1, 1, 1]] * 2


def test_large_constants_stay_out_of_the_text() -> None:
    resources: dict[str, np.ndarray] = {}
    large, other = np.arange(33, dtype=np.float32), np.zeros(40, np.float32)
    assert constant_properties(large, "w", resources)["resource"] == "w"
    assert constant_properties(large, "w", resources)["resource"] == "w"
    assert constant_properties(other, "w", resources)["resource"] == "w.1"
    assert set(constant_properties(large[:32], "v", resources)) == {"value"}
    assert sorted(resources) == ["w", "w.1"]
    with pytest.raises(InputError, match="too large to stand in the text"):
        OpList()("constant", value=dense_of(large))


def test_a_missing_or_wrong_resource_is_named() -> None:
    b = OpList("node 'c' (Gemm)")
    value = b("constant", resource="w", shape=(2,), element_type=f32)
    module = module_returning(b, [value], ["y"])
    with pytest.raises(InputError) as missing:
        run_nn(DojoContext(), module, {})
    assert str(missing.value) == (
        "constant names resource 'w', which is not there\n  where: node 'c' (Gemm)\n"
        "  numbers: 0 resources are"
    )
    with pytest.raises(InputError, match="another shape than its constant"):
        run_nn(DojoContext(resources={"w": np.zeros(3, np.float32)}), module, {})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%y = nn.tanhh %x : tensor<2xf32>", "nn.tanhh is not registered"),
        ("%y = nn.tanh %x : tensor<2xf32", "Expected '>'"),
        ('%y = nn.tanh %x {loc = "a", loc = "b"} : tensor<2xf32>', "loc is given twice"),
        ("%y = nn.tanh %x, %x : tensor<3xf32>", "previously used or defined with type"),
    ],
)
def test_parse_errors_point_at_the_place(line: str, words: str) -> None:
    text = f"func.func @main(%x: tensor<2xf32>) {{\n  {line}\n  func.return\n}}\n"
    with pytest.raises(InputError) as caught:
        parse_module(DojoContext(), text, "model.mlir")
    assert words in caught.value.what
    where = str(caught.value.where)
    assert where.startswith(("model.mlir:2:", "model.mlir:3:"))
    shown, caret = where.splitlines()[1:]
    assert shown.strip() in text
    assert caret.strip() == "^"


def run_pair() -> tuple[DojoContext, ModuleOp]:
    ctx = DojoContext()
    text = """
func.func @main(%x: tensor<2xf32> {nn.name = "x"}, %n: tensor<2xi32> {nn.name = "n"})
    -> (tensor<2xf32> {nn.name = "y"}, tensor<2xi32> {nn.name = "m"}) {
  %y = nn.negate %x {loc = "a"} : tensor<2xf32>
  func.return %y, %n : tensor<2xf32>, tensor<2xi32>
}
"""
    return ctx, parse_module(ctx, text)


def test_runs_by_name_and_by_order() -> None:
    ctx, module = run_pair()
    x, n = np.array([1, -2], np.float32), np.array([3, 4], np.int32)
    seen = []
    found = run_nn(ctx, module, {"n": n, "x": x}, capture=lambda op, values: seen.append(op.name))
    assert list(found) == ["y", "m"]
    assert found["y"].tolist() == [-1, 2] and found["m"].tolist() == [3, 4]
    assert run_nn(ctx, module, [x, n])["y"].tolist() == [-1, 2]
    assert seen == ["nn.negate"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": None}, "missing: x; unknown: none"),
        ({"z": np.zeros(1)}, "missing: none; unknown: z"),
        ({"x": np.zeros(3, np.float32)}, "[3] given, 2xf32 needed"),
        ({"x": np.zeros(2)}, "float64 given, float32 needed"),
    ],
)
def test_wrong_inputs_are_refused_in_numbers(change: dict, words: str) -> None:
    ctx, module = run_pair()
    inputs = {"x": np.zeros(2, np.float32), "n": np.zeros(2, np.int32), **change}
    given = {name: array for name, array in inputs.items() if array is not None}
    with pytest.raises(InputError) as caught:
        run_nn(ctx, module, given)
    assert words in str(caught.value)


def test_names_must_fit_the_function() -> None:
    b = OpList("here")
    value = b("constant", value=dense_of(np.zeros(1, np.float32)))
    with pytest.raises(InputError, match="needs one distinct name for each result"):
        module_returning(b, [value], ["a", "b"])


def test_a_module_needs_one_main_function() -> None:
    with pytest.raises(InputError, match="needs one function named @main"):
        main_function(ModuleOp([]))
