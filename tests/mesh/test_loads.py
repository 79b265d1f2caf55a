"""mesh.exchange of kind load: what it may read, that it runs, and from which DIP nodes load."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.utils.exceptions import VerifyException

from dojocc.dialects.context import DojoContext
from dojocc.dialects.interpret_mesh import run_mesh
from dojocc.dialects.printing import parse_module, print_module
from dojocc.runtime.errors import TargetError
from dojocc.runtime.mesh.ends import nearest_dips
from dojocc.runtime.target import Target
from dojocc.runtime.targets import load_target

W = np.arange(24, dtype=np.float32).reshape(6, 4)
ROWS = "#mesh.layout<FP32, grid 2 x 3, [4 by row step 2, 6 physical 16]>"
HELD = "#mesh.layout<FP32, grid 2 x 3, [6, 4 physical 16]>"


def text(layout: str, kind: str) -> str:
    source = f"tensor<6x4xf32{layout}>"
    shape = ", shape = [6, 4], element_type = f32"
    return f"""
func.func @main() -> tensor<4x6xf32, {ROWS}> {{
  %w = nn.constant {{resource = "w"{shape}, loc = "n"}} : {source}
  %y = mesh.exchange %w {{kind = "{kind}", bytes = 1, cycles = 1, zero_dims = [1], loc = "n"}} : ({source}) -> tensor<4x6xf32, {ROWS}> {{
  ^bb0(%a: tensor<6x4xf32>):
    %t = nn.transpose %a {{permutation = [1, 0], loc = "n"}} : (tensor<6x4xf32>) -> tensor<4x6xf32>
    nn.yield %t : tensor<4x6xf32>
  }}
  func.return %y : tensor<4x6xf32, {ROWS}>
}}
"""  # noqa: E501


def test_a_load_brings_what_movement_makes_of_a_constant() -> None:
    context = DojoContext(resources={"w": W})
    module = parse_module(context, text("", "load"))
    module.verify()
    (found,) = run_mesh(context, module, {}).values()
    np.testing.assert_array_equal(found, W.T)
    assert print_module(parse_module(context, print_module(module))) == print_module(module)


@pytest.mark.parametrize(
    ("layout", "kind", "words"),
    [
        ("", "reshard", "only a load reads a constant without a layout"),
        (f", {HELD}", "load", "a load has one operand, a constant in DRAM"),
    ],
)
def test_what_is_read_must_suit_the_kind(layout: str, kind: str, words: str) -> None:
    with pytest.raises(VerifyException, match=words):
        parse_module(DojoContext(resources={"w": W}), text(layout, kind)).verify()


def hops(target: Target, dip: int, node: int) -> int:
    """From a node to the nearest live one of a DIP's band, counted one by one."""
    row, col = divmod(node, target.cols)
    band = [divmod(int(each), target.cols) for each in target.dip_nodes(dip)]
    return min(abs(r - row) + abs(c - col) for r, c in band)


@pytest.mark.parametrize("name", ["d1-die", "d1-training-tile", "d1-tray"])
def test_no_dip_is_nearer_than_the_one_chosen(name: str) -> None:
    target = load_target(name)
    nodes = np.random.default_rng(0).choice(target.live_nodes(), 40, replace=False)
    chosen = nearest_dips(target, nodes)
    for node, dip in zip(nodes.tolist(), chosen.tolist(), strict=True):
        ways = [hops(target, each, node) for each in range(target.dips.count)]
        assert ways[dip] == min(ways) and min(ways) not in ways[:dip]


def test_a_dip_behind_dead_nodes_serves_nobody() -> None:
    target = load_target("d1-training-tile")
    cut = target.with_dead(target.dip_nodes(2).tolist())
    chosen = nearest_dips(cut, cut.live_nodes())
    assert set(chosen.tolist()) == {0, 1, 3, 4}
    every = [node for dip in range(5) for node in target.dip_nodes(dip).tolist()]
    with pytest.raises(TargetError, match="no DIP that can be reached"):
        nearest_dips(target.with_dead(every), target.live_nodes()[-1:])
