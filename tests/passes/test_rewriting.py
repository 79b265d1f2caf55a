"""Rules are applied until none changes anything; rules that never stop are an internal error."""

from __future__ import annotations

import pytest
from xdsl.ir import Block, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.op import NNOp, OpList
from dojocc.dialects.printing import parse_module, print_module
from dojocc.passes.errors import PassBroken
from dojocc.passes.rewriting import SWEEPS, Rule, bodies, rewrite

CHAIN = """
func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %a = nn.negate %x : tensor<2xf32>
  %b = nn.negate %a : tensor<2xf32>
  %c = nn.negate %b : tensor<2xf32>
  func.return %c : tensor<2xf32>
}
"""


def main_block() -> Block:
    return bodies(parse_module(DojoContext(), CHAIN))[0]


def positive(op: NNOp, b: OpList) -> SSAValue:
    return b("abs", op.operands[0])


def again(op: NNOp, b: OpList) -> SSAValue:
    return b("negate", op.operands[0])


def test_every_op_is_offered_until_nothing_changes() -> None:
    module = parse_module(DojoContext(), CHAIN)
    rules: dict[str, list[Rule]] = {"negate": [positive]}
    rewrite(bodies(module)[0], rules, "example")
    assert print_module(module).count("nn.abs") == 3
    assert "nn.negate" not in print_module(module)


def test_rules_without_an_end_are_named() -> None:
    rules: dict[str, list[Rule]] = {"negate": [again]}
    with pytest.raises(PassBroken, match="example: the rules do not come to an end") as broken:
        rewrite(main_block(), rules, "example")
    assert broken.value.numbers == f"{SWEEPS} sweeps"
