"""nn.fused: text, rounding at its end only, what its region may hold."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import bf16

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import main_function
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.nn import DotGeneralOp, FusedOp
from dojocc.dialects.numerics import MACHINE, PLAIN
from dojocc.dialects.printing import parse_module, print_module
from dojocc.dialects.types import as_element
from dojocc.dialects.verify import InvalidModule, verify_module

TEXT = """builtin.module {
  func.func @main(%x: tensor<3x8xbf16> {nn.name = "x"}, %w: tensor<8x4xbf16> {nn.name = "w"}) -> (tensor<3x4xbf16> {nn.name = "y"}) {
    %y = nn.fused %x, %w {loc = "node 'dense' (Gemm)"} : (tensor<3x8xbf16>, tensor<8x4xbf16>) -> tensor<3x4xbf16> {
    ^bb0(%a: tensor<3x8xf32>, %b: tensor<8x4xf32>):
      %c = nn.dot_general %a, %b {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], loc = "node 'dense' (Gemm)"} : (tensor<3x8xf32>, tensor<8x4xf32>) -> tensor<3x4xf32>
      %d = nn.tanh %c {loc = "node 'act' (Tanh)"} : tensor<3x4xf32>
      nn.yield %d : tensor<3x4xf32>
    }
    func.return %y : tensor<3x4xbf16>
  }
}
"""  # noqa: E501


def arrays() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    x, w = random.standard_normal((3, 8)), random.standard_normal((8, 4))
    return as_element(x.astype(np.float32), bf16), as_element(w.astype(np.float32), bf16)


def test_text_round_trip() -> None:
    module = parse_module(DojoContext(), TEXT)
    verify_module(module)
    assert print_module(module) == TEXT


@pytest.mark.parametrize("numerics", [PLAIN, MACHINE], ids=lambda n: n.name)
def test_rounds_once_at_the_end(numerics) -> None:
    x, w = arrays()
    found = run_nn(DojoContext(), parse_module(DojoContext(), TEXT), {"x": x, "w": w}, numerics)[
        "y"
    ]
    exact = np.tanh(x.astype(np.float64) @ w.astype(np.float64))
    np.testing.assert_array_equal(found, as_element(found, bf16))
    np.testing.assert_allclose(found, exact, rtol=2**-8, atol=2**-9)
    once = as_element(np.tanh((x @ w).astype(np.float64)).astype(np.float32), bf16)
    twice = as_element(np.tanh(as_element(x @ w, bf16)), bf16)
    assert (found != once).sum() < (found != twice).sum()


def test_names_its_root_and_cost() -> None:
    function = main_function(parse_module(DojoContext(), TEXT))
    fused = next(op for op in function.body.block.ops if isinstance(op, FusedOp))
    assert isinstance(fused.root(), DotGeneralOp)
    assert fused.cost().flops == 2 * 3 * 8 * 4 + 3 * 4
    assert fused.cost().bytes == 2 * (24 + 32 + 12)


IDENTITY = """
func.func @main(%x: tensor<4xbf16>) -> tensor<4xbf16> {{
  %y = nn.fused %x {{loc = "here"}} : {outside} {{
  ^bb0(%a: {argument}):
    {body}
  }}
  func.return %x : tensor<4xbf16>
}}
"""


@pytest.mark.parametrize(
    ("outside", "argument", "body", "words"),
    [
        (
            "tensor<4xbf16>",
            "tensor<5xf32>",
            "nn.yield %a : tensor<5xf32>",
            "nn.fused (%y): operand 0 is 4xbf16 outside and 5xf32 inside",
        ),
        (
            "(tensor<4xbf16>) -> tensor<4xi32>",
            "tensor<4xf32>",
            "nn.yield %a : tensor<4xf32>",
            "nn.fused (%y): result 0 is 4xi32 outside and 4xf32 inside",
        ),
        (
            "tensor<4xbf16>",
            "tensor<4xf32>",
            "nn.yield %a, %a : tensor<4xf32>, tensor<4xf32>",
            "nn.fused (%y): 1 results outside, 2 inside its region",
        ),
        (
            "tensor<4xbf16>",
            "tensor<4xf32>",
            'nn.tanh %a {loc = "here"} : tensor<4xf32>',
            "nn.fused (%y): its region must end with nn.yield",
        ),
    ],
)
def test_refuses_a_region_that_does_not_fit(
    outside: str, argument: str, body: str, words: str
) -> None:
    text = IDENTITY.format(outside=outside, argument=argument, body=body)
    with pytest.raises(InvalidModule) as caught:
        verify_module(parse_module(DojoContext(), text))
    assert caught.value.what == words
    assert caught.value.where == "here"


def test_region_cannot_look_out() -> None:
    text = IDENTITY.format(
        outside="tensor<4xbf16>",
        argument="tensor<4xf32>",
        body="nn.yield %x : tensor<4xbf16>",
    )
    with pytest.raises(InvalidModule, match="block argument outside nn.fused, whose region is"):
        verify_module(parse_module(DojoContext(), text))
