"""Forms allow what they promise and name the rest; layouts in types leave shape rules alone."""

from __future__ import annotations

import pytest

from dojocc.dialects.context import DojoContext
from dojocc.dialects.forms import FORMS, allows, violations
from dojocc.dialects.printing import parse_module, print_module
from dojocc.dialects.verify import InvalidModule, verify_module

LOOSE = """
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = nn.gelu %x {approximate = "none", loc = "node 'g' (Gelu)"} : tensor<4xf32>
  %b = nn.negate %a {loc = "node 'n' (Neg)"} : tensor<4xf32>
  func.return %b : tensor<4xf32>
}
"""
FUSED = """
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = nn.fused %x {loc = "node 'n' (Neg)"} : tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    %b = nn.negate %a {loc = "node 'n' (Neg)"} : tensor<4xf32>
    nn.yield %b : tensor<4xf32>
  }
  func.return %y : tensor<4xf32>
}
"""


@pytest.mark.parametrize(
    ("text", "form", "names"),
    [
        (LOOSE, "nn", []),
        (LOOSE, "nn-core", ["nn.gelu at node 'g' (Gelu)"]),
        (LOOSE, "nn-fused", ["nn.gelu at node 'g' (Gelu)", "nn.negate at node 'n' (Neg)"]),
        (FUSED, "nn-fused", []),
        (FUSED, "nn", []),
        (FUSED.replace("nn.negate", "nn.softplus"), "nn-fused", ["nn.softplus at node 'n' (Neg)"]),
    ],
)
def test_violations_are_named(text: str, form: str, names: list[str]) -> None:
    module = parse_module(DojoContext(), text)
    verify_module(module)
    assert violations(module, form) == names


@pytest.mark.parametrize("form", FORMS)
def test_a_special_case_is_one(form: str) -> None:
    """What a form allows, the forms it is a special case of allow too."""
    for text in (LOOSE, FUSED):
        module = parse_module(DojoContext(), text)
        if violations(module, form):
            continue
        for wider in FORMS[form].special_case_of:
            assert violations(module, wider) == []
            assert allows(wider, form)


def test_layouts_in_types_do_not_disturb_shape_rules() -> None:
    text = LOOSE.replace("tensor<4xf32>", 'tensor<4xf32, "layout">')
    module = parse_module(DojoContext(), text)
    verify_module(module)
    assert print_module(parse_module(DojoContext(), print_module(module))) == print_module(module)
    wrong = text.replace('func.return %b : tensor<4xf32, "layout">', "func.return").replace(
        '"none", loc = "node \'g\' (Gelu)"} : tensor<4xf32, "layout">',
        '"none", loc = "node \'g\' (Gelu)"} : (tensor<4xf32, "layout">) -> tensor<5xf32, "layout">',
    )
    wrong = wrong.replace("nn.negate %a", "nn.negate %x")
    with pytest.raises(InvalidModule, match="its operands give 4xf32, but the result is 5xf32"):
        verify_module(parse_module(DojoContext(), wrong))
