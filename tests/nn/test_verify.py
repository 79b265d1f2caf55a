"""Verification with planted faults: dominance, locations, types; the errors are short and exact."""

from __future__ import annotations

import pytest
from xdsl.dialects.builtin import ModuleOp, f32
from xdsl.ir import Block, Operation
from xdsl.rewriter import Rewriter

from dojocc.dialects.context import DojoContext
from dojocc.dialects.dominance import dominance_violations
from dojocc.dialects.function import main_function
from dojocc.dialects.location import (
    copy_location,
    describe,
    get_location,
    merge_locations,
    set_location,
)
from dojocc.dialects.nn import AddOp, NegateOp, TanhOp, build
from dojocc.dialects.printing import parse_module
from dojocc.dialects.types import tensor
from dojocc.dialects.verify import InvalidModule, verify_module

CHAIN = """
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = nn.negate %x {loc = "node 'n' (Neg)"} : tensor<4xf32>
  %b = nn.tanh %a {loc = "node 't' (Tanh)"} : tensor<4xf32>
  func.return %b : tensor<4xf32>
}
"""


def parsed(text: str = CHAIN) -> ModuleOp:
    return parse_module(DojoContext(), text)


def check_refused(module: ModuleOp, words: str, where: str | None) -> None:
    with pytest.raises(InvalidModule) as caught:
        verify_module(module)
    assert words in caught.value.what
    assert caught.value.where == where
    assert len(str(caught.value)) < 400, "an error never prints the module"
    assert "builtin.module" not in str(caught.value)


def test_a_good_module_verifies() -> None:
    verify_module(parsed())
    assert dominance_violations(parsed()) == []


def test_what_is_known_to_be_right_is_looked_at_again_when_it_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module, known, seen = parsed(), {}, []
    rule = Operation.verify

    def verify(op: Operation, verify_nested_ops: bool = True) -> None:
        seen.append(op.name)
        rule(op, verify_nested_ops)

    monkeypatch.setattr(Operation, "verify", verify)
    verify_module(module, known=known)
    assert [name for name in seen if name.startswith("nn.")] == ["nn.negate", "nn.tanh"]
    seen.clear()
    verify_module(module, known=known)
    assert "func.return" in seen and not any(name.startswith("nn.") for name in seen)
    seen.clear()
    tanh = list(main_function(module).body.block.ops)[1]
    Rewriter.replace_value_with_new_type(tanh.results[0], tensor((5,), f32))
    with pytest.raises(InvalidModule, match="nn.tanh"):
        verify_module(module, known=known)
    assert [name for name in seen if name.startswith("nn.")] == ["nn.tanh"]


def test_use_before_definition_is_found() -> None:
    module = parsed()
    negate, tanh, _ = main_function(module).body.block.ops
    block = main_function(module).body.block
    block.detach_op(tanh)
    block.insert_op_before(tanh, negate)
    words = "nn.tanh (%b): operand 0 is not available: result of nn.negate, which stands behind"
    check_refused(module, words, "node 't' (Tanh)")


def test_use_of_an_op_outside_the_module_is_found() -> None:
    module = parsed()
    stray = build(TanhOp, [Block(arg_types=[tensor([4])]).args[0]])
    tanh = list(main_function(module).body.block.ops)[1]
    tanh.operands[0] = stray.results[0]
    check_refused(module, "result of nn.tanh, which is not in the module", "node 't' (Tanh)")


def test_use_in_itself_is_found() -> None:
    module = parsed()
    tanh = list(main_function(module).body.block.ops)[1]
    tanh.operands[0] = tanh.results[0]
    check_refused(module, "result of nn.tanh, which stands behind this use", "node 't' (Tanh)")


def test_values_of_a_region_are_not_visible_behind_it() -> None:
    text = """
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = nn.fused %x {loc = "f"} : tensor<4xf32> {
  ^bb0(%i: tensor<4xf32>):
    %n = nn.negate %i {loc = "n"} : tensor<4xf32>
    nn.yield %n : tensor<4xf32>
  }
  %b = nn.tanh %a {loc = "t"} : tensor<4xf32>
  func.return %b : tensor<4xf32>
}
"""
    module = parsed(text)
    verify_module(module)
    fused, tanh, _ = main_function(module).body.block.ops
    inner = fused.regions[0].block.first_op
    assert inner is not None
    tanh.operands[0] = inner.results[0]
    check_refused(module, "result of nn.negate inside nn.fused, seen from outside of it", "t")


BRANCHES = """
"test.holder"() ({{
^bb0(%c: tensor<4xf32>):
  "test.branch"()[^bb1, ^bb2] : () -> ()
^bb1:
  %v = "test.make"() : () -> tensor<4xf32>
  "test.branch"()[^bb3] : () -> ()
^bb2:
  "test.branch"()[^bb3] : () -> ()
^bb3:
  "test.use"({value}) : (tensor<4xf32>) -> ()
  "test.end"() : () -> ()
}}) : () -> ()
"""


@pytest.mark.parametrize(("value", "count"), [("%c", 0), ("%v", 1)])
def test_several_blocks_follow_the_dominator_tree(value: str, count: int) -> None:
    ctx = DojoContext(allow_unregistered=True)
    module = parse_module(ctx, BRANCHES.format(value=value))
    found = dominance_violations(module)
    assert len(found) == count
    assert all("does not dominate this one" in each.why for each in found)


def test_missing_locations_are_named() -> None:
    text = CHAIN.replace(""" {loc = "node 't' (Tanh)"}""", "")
    check_refused(parsed(text), "1 ops carry no location: nn.tanh (%b)", None)
    verify_module(parsed(text), locations=False)


def test_wrong_result_type_is_named() -> None:
    module = parsed(CHAIN.replace("%b = nn.tanh %a", "%b = nn.is_finite %a"))
    words = "nn.is_finite (%b): its operands give 4xi1, but the result is 4xf32"
    check_refused(module, words, "node 't' (Tanh)")


def test_wrong_operands_are_named_with_their_help() -> None:
    text = CHAIN.replace(
        "%b = nn.tanh %a",
        '%k = nn.iota {dim = 0, shape = [3], element_type = f32, loc = "k"} : '
        "tensor<3xf32>\n  %b = nn.add %a, %k",
    ).replace(
        '(Tanh)"} : tensor<4xf32>', '(Tanh)"} : (tensor<4xf32>, tensor<3xf32>) -> tensor<4xf32>'
    )
    with pytest.raises(InvalidModule) as caught:
        verify_module(parsed(text))
    assert "operands must have equal shapes" in caught.value.what
    assert "4xf32, 3xf32" in str(caught.value)
    assert "add nn.broadcast_in_dim" in str(caught.value)


def test_a_function_must_return() -> None:
    module = parsed()
    block = main_function(module).body.block
    last = block.last_op
    assert last is not None
    last.detach()
    check_refused(module, "nn.tanh", "node 't' (Tanh)")


def test_an_empty_block_is_refused() -> None:
    module = parsed()
    block = main_function(module).body.block
    for op in reversed(list(block.ops)):
        op.detach()
    check_refused(module, "func.func: holds an empty block", "unknown location")


def test_locations_are_kept_copied_and_merged() -> None:
    block = Block(arg_types=[tensor([2], f32)])
    ops = [build(NegateOp, [block.args[0]], location=f"n{number}") for number in range(5)]
    fresh = build(AddOp, [block.args[0]] * 2)
    assert get_location(fresh) is None and describe(fresh) == "unknown location"
    copy_location(ops[1], fresh)
    assert get_location(fresh) == "n1"
    copy_location(build(NegateOp, [block.args[0]]), fresh)
    assert get_location(fresh) == "n1"
    assert get_location(fresh.clone()) == "n1"
    set_location(fresh, None)
    assert get_location(fresh) is None
    assert merge_locations(ops) == "n0 + n1 + n2 and 2 more"
    assert merge_locations([ops[0], ops[0], fresh]) == "n0"
    assert merge_locations([fresh]) is None
