"""Names, locations, literals and errors of StableHLO text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import input_names, main_function, result_names
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.location import get_location
from dojocc.frontends.read import IR, STABLEHLO, kind_of, read_model
from dojocc.frontends.stablehlo.control import CONTROL
from dojocc.frontends.stablehlo.literals import with_bytes
from dojocc.frontends.stablehlo.node import HANDLERS
from dojocc.frontends.stablehlo.source import text_of_jax, without_locations
from dojocc.runtime.errors import InputError, UnsupportedError, UsageError


def module(body: str, inputs: str = "%arg0: tensor<4xf32>", result: str = "tensor<4xf32>") -> bytes:
    return f"module {{\n func.func public @main({inputs}) -> {result} {{\n{body}\n }}\n}}".encode()


def run(text: bytes, *inputs: np.ndarray) -> list[np.ndarray]:
    context = DojoContext()
    return list(run_nn(context, read_model(text, context), list(inputs)).values())


NAMED = b"""
#loc1 = loc("params['w']")
#loc2 = loc("x")
module @jit_f attributes {mhlo.num_partitions = 1 : i32} {
  func.func public @main(%arg0: tensor<3x4xf32> loc("params['w']"), %arg1: tensor<2x3xf32> loc(#loc2)) -> (tensor<2x4xf32> {jax.result_info = "result['y'][0]"}) {
    %0 = stablehlo.dot_general %arg1, %arg0, contracting_dims = [1] x [0] : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32> loc(#loc12)
    %1 = stablehlo.tanh %0 : tensor<2x4xf32> loc(#loc13)
    return %1 : tensor<2x4xf32> loc(#loc)
  } loc(#loc)
} loc(#loc)
#loc = loc(unknown)
#loc3 = loc("/home/me/f.py":3:40 to :53)
#loc7 = loc(callsite(#loc3 at #loc3))
#loc12 = loc("jit(f)/dense (1)/dot_general"(#loc7))
#loc13 = loc("jit(f)/tanh"(#loc3))
"""  # noqa: E501


def test_names_of_jax_are_kept() -> None:
    found = read_model(NAMED, DojoContext())
    function = main_function(found)
    assert input_names(function) == ["params.w", "x"]
    assert result_names(function) == ["y.0"]
    places = [get_location(op) for op in function.body.block.ops]
    assert places[0] == "'jit(f)/dense (1)/dot_general', line 6 (stablehlo.dot_general)"
    assert places[1] == "'jit(f)/tanh', line 7 (stablehlo.tanh)"


def test_lines_of_ops_in_generic_form() -> None:
    text = module(
        '%0 = "stablehlo.tanh"(%arg0) : (tensor<4xf32>) -> tensor<4xf32>\n'
        "%1 = stablehlo.tanh %0 : tensor<4xf32>\nreturn %1 : tensor<4xf32>"
    )
    ops = list(main_function(read_model(text, DojoContext())).body.block.ops)
    assert [get_location(op) for op in ops[:2]] == [
        "line 3 (stablehlo.tanh)",
        "line 4 (stablehlo.tanh)",
    ]


def test_locations_are_taken_out() -> None:
    assert "loc(" not in without_locations(NAMED.decode()).text
    assert without_locations("a b").text == "a b"


@pytest.mark.parametrize(
    "literal, wanted",
    [
        ("dense<0xFF800000> : tensor<f32>", [-np.inf]),
        ("dense<[0x7F800000, 1.5, -2.0]> : tensor<3xf32>", [np.inf, 1.5, -2.0]),
        ("dense<0xFF80> : tensor<bf16>", [-np.inf]),
        ("dense<[0x7C00, 0.5]> : tensor<2xf16>", [np.inf, 0.5]),
    ],
)
def test_numbers_written_by_their_bits(literal: str, wanted: list[float]) -> None:
    kind = literal.split("tensor<")[1][:-1]
    text = module(
        f"%0 = stablehlo.constant {literal}\n return %0 : tensor<{kind}>",
        result=f"tensor<{kind}>",
    )
    np.testing.assert_array_equal(run(text, np.ones(4, np.float32))[0].reshape(-1), wanted)


def test_other_numbers_are_left() -> None:
    text = 'dense<"0x0000"> : tensor<1xf32> dense<0x10> : tensor<i32> dense<1.0> : tensor<f32>'
    assert with_bytes(text) == text


def test_kinds_of_content() -> None:
    assert kind_of(NAMED) == STABLEHLO
    assert kind_of(module("return %arg0 : tensor<4xf32> // stablehlo.")) == STABLEHLO
    assert kind_of(b"builtin.module { }") == IR


UNSUPPORTED = """
    %0 = stablehlo.custom_call @my_kernel(%arg0) : (tensor<4xf32>) -> tensor<4xf32>
    %1 = stablehlo.custom_call @my_kernel(%0) : (tensor<4xf32>) -> tensor<4xf32>
    %2 = stablehlo.popcnt %arg1 : tensor<4xi32>
    %3 = stablehlo.popcnt %arg1 : tensor<4xi32>
    return %1 : tensor<4xf32>"""


def test_all_that_is_not_supported_is_named_at_once() -> None:
    with pytest.raises(UnsupportedError) as caught:
        read_model(module(UNSUPPORTED, "%arg0: tensor<4xf32>, %arg1: tensor<4xi32>"), DojoContext())
    text = str(caught.value)
    assert text.startswith("3 ops use what dojocc does not support:")
    assert (
        "stablehlo.custom_call @my_kernel, 1 op, first at line 4 (stablehlo.custom_call): "
        "calls of custom code are not supported" in text
    )
    assert "stablehlo.popcnt, 2 ops, first at line 6 (stablehlo.popcnt)" in text


def test_loops_on_data_are_refused() -> None:
    text = module("""
    %0 = stablehlo.while(%i = %arg0) : tensor<i1>
    cond {
      stablehlo.return %i : tensor<i1>
    } do {
      stablehlo.return %i : tensor<i1>
    }
    return %0 : tensor<i1>""", "%arg0: tensor<i1>", "tensor<i1>")  # fmt: skip
    with pytest.raises(UnsupportedError, match="the condition depends on data"):
        read_model(text, DojoContext())


def test_endless_loops_are_refused() -> None:
    text = module("""
    %c = stablehlo.constant dense<true> : tensor<i1>
    %0 = stablehlo.while(%i = %c) : tensor<i1>
    cond {
      stablehlo.return %i : tensor<i1>
    } do {
      stablehlo.return %i : tensor<i1>
    }
    return %0 : tensor<i1>""", "%arg0: tensor<i1>", "tensor<i1>")  # fmt: skip
    with pytest.raises(UnsupportedError, match="at most 20000 ops"):
        read_model(text, DojoContext())


@pytest.mark.parametrize(
    "text, words",
    [
        (b"module { stablehlo.add", "this StableHLO text cannot be read"),
        (b"module { // stablehlo.\n}", "the module has no function"),
        (module("return %arg0 : tensor<?xf32> // stablehlo.",
                "%arg0: tensor<?xf32>", "tensor<?xf32>"),
         "input 'arg0': a tensor of open sizes"),
        (module("return %arg0 : tensor<2xcomplex<f32>> // stablehlo.",
                "%arg0: tensor<2xcomplex<f32>>", "tensor<2xcomplex<f32>>"),
         "input 'arg0': element type complex<f32> is not supported"),
        (module("%0 = stablehlo.tanh %arg0 : (tensor<4xf32>) -> tensor<2xf32>\n"
                "return %0 : tensor<2xf32>", result="tensor<2xf32>"),
         "result 0 came out as [4] f32, where the module has tensor<2xf32>"),
    ],
)  # fmt: skip
def test_refused(text: bytes, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_model(text, DojoContext())
    assert words in str(caught.value)


def test_narrowing_is_a_remark() -> None:
    context = DojoContext()
    body = "%0 = stablehlo.negate %arg0 : tensor<4xi64>\n return %0 : tensor<4xi64>"
    read_model(module(body, "%arg0: tensor<4xi64>", "tensor<4xi64>"), context)
    assert context.remarks == ["input 'arg0': i64 becomes int32 lanes"]


def test_small_integers_wrap() -> None:
    text = module("%0 = stablehlo.add %arg0, %arg0 : tensor<4xui8>\n return %0 : tensor<4xui8>",
                  "%arg0: tensor<4xui8>", "tensor<4xui8>")  # fmt: skip
    np.testing.assert_array_equal(
        run(text, np.array([1, 200, 255, 128], np.int32))[0], [2, 144, 254, 0]
    )


def test_calls_of_functions_twice() -> None:
    text = b"""module {
 func.func public @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {
  %0 = call @f(%arg0) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = func.call @f(%0) : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
 }
 func.func private @f(%arg0: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %arg0, %arg0 : tensor<4xf32>
  return %0 : tensor<4xf32>
 }
}"""
    x = np.arange(4, dtype=np.float32)
    np.testing.assert_array_equal(run(text, x)[0], 4 * x)


def test_ops_that_jax_writes_otherwise_now() -> None:
    text = module("%0 = stablehlo.logistic %arg0 : tensor<4xf32>\n"
                  "%1 = chlo.is_inf %arg0 : tensor<4xf32> -> tensor<4xi1>\n"
                  "%2 = stablehlo.select %1, %arg0, %0 : tensor<4xi1>, tensor<4xf32>\n"
                  "return %2 : tensor<4xf32>")  # fmt: skip
    x = np.array([0.5, -1, np.inf, -np.inf], np.float32)
    want = np.where(np.isinf(x), x, 1 / (1 + np.exp(-x)))
    np.testing.assert_allclose(run(text, x)[0], want, rtol=1e-6)


def test_marks_of_placement_are_passed_through() -> None:
    text = module("%0 = stablehlo.custom_call @Sharding(%arg0) {backend_config = \"\"} : "
                  "(tensor<4xf32>) -> tensor<4xf32>\n return %0 : tensor<4xf32>")  # fmt: skip
    x = np.arange(4, dtype=np.float32)
    np.testing.assert_array_equal(run(text, x)[0], x)


def test_other_objects_of_jax_are_refused() -> None:
    kind = type("Traced", (), {"__module__": "jax._src.stages"})
    with pytest.raises(UsageError, match="this object of JAX cannot be compiled"):
        text_of_jax(kind())
    assert text_of_jax(3) is None


def test_documented_ops_are_those_that_are_imported() -> None:
    text = (Path(__file__).parents[3] / "docs" / "frontends.md").read_text()
    part = text.split("## StableHLO and JAX")[1].split("Ops (")[1]
    listed = part.split("\n\n")[1].replace("\n", " ").split(", ")
    known = {*HANDLERS, *CONTROL, "stablehlo.composite"}
    assert sorted(listed) == sorted(name.removeprefix("stablehlo.") for name in known)
