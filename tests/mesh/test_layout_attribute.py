"""#mesh.layout and mesh.exchange print, parse and refuse what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from exchange_cases import layouts
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.parser import Parser
from xdsl.utils.exceptions import ParseError, VerifyException

from dojocc.dialects.context import DojoContext
from dojocc.dialects.mesh import LayoutAttr
from dojocc.dialects.printing import parse_module, print_module
from dojocc.runtime.layout import DimShard, Layout, whole

EXCHANGE = """builtin.module {
  func.func @main(%x: tensor<6x16xbf16, #mesh.layout<BF16, grid 2 x 3, [6 by row step 3, 16]>>) {
    %y = mesh.exchange %x {kind = "KIND", bytes = 384, cycles = 130, zero_dims = [1]} : \
(tensor<6x16xbf16, #mesh.layout<BF16, grid 2 x 3, [6 by row step 3, 16]>>) -> \
tensor<16x6xbf16, #mesh.layout<BF16, grid 2 x 3, [DIM, 6 physical 16]>> {
    ^bb0(%a: tensor<6x16xbf16>):
      INNER
      nn.yield %b : tensor<16x6xbf16>
    }
    func.return
  }
}
"""
TRANSPOSE = "%b = nn.transpose %a {permutation = [1, 0]} : (tensor<6x16xbf16>) -> tensor<16x6xbf16>"


def exchange_text(kind: str = "move", dim: str = "16 by col step 8", inner: str = TRANSPOSE) -> str:
    return EXCHANGE.replace("KIND", kind).replace("DIM", dim).replace("INNER", inner)


def parsed(text: str) -> LayoutAttr:
    attribute = Parser(DojoContext(), text).parse_attribute()
    assert isinstance(attribute, LayoutAttr)
    return attribute


def test_layout_reads_like_a_sentence() -> None:
    dims = (
        whole(1),
        DimShard(("row",), 4, -1, 6, 6),
        whole(56, 64),
        DimShard(("row",), 8, 0, 8, 16),
    )
    layout = Layout((1, 56, 56), dims[:3], "BF16", (18, 19))
    text = (
        "#mesh.layout<BF16, grid 18 x 19, [1, 56 by row step 4 offset -1 extent 6, 56 physical 64]>"
    )
    assert str(LayoutAttr(layout)) == text
    assert parsed(text).data == layout
    both = Layout((48,), (DimShard(("row", "col"), 8, 0, 8, 16),), "FP32", (2, 3))
    assert str(LayoutAttr(both)) == (
        "#mesh.layout<FP32, grid 2 x 3, [48 by row col step 8 physical 16]>"
    )
    assert parsed("#mesh.layout<INT32, grid 2 x 3, []>").data.shape == ()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_layouts_survive_printing(data) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 40), max_size=4)))
    layout = data.draw(layouts(shape, data.draw(st.sampled_from(["BF16", "FP32"])), (2, 3)))
    assert parsed(str(LayoutAttr(layout))).data == layout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("BF16, grid 2 x 3, [8 by row step 2]", "dimension 0 of 8 is not held whole"),
        ("BF16, grid 2 x 3, [8 by row step 4, 4 by row step 2]", "shards two dimensions at once"),
        ("BF16, grid 2 x 3, [8 by row row step 4]", "sharding axes must be distinct"),
        ("BF16, grid 2 x 3, [8 by up step 4]", "sharding axes must be distinct"),
        ("BF17, grid 2 x 3, [8]", "no storage format BF17"),
        ("BF16, grid 0 x 3, [8]", "a grid of 0 x 3 nodes"),
        ("BF16, grid 2 x 3, [8 physical 4]", "0 <= extent <= physical"),
    ],
)
def test_wrong_layouts_are_refused(text: str, words: str) -> None:
    with pytest.raises((ParseError, VerifyException), match=words):
        parsed(f"#mesh.layout<{text}>")


def test_exchange_round_trip() -> None:
    context = DojoContext()
    module = parse_module(context, exchange_text())
    module.verify()
    text = print_module(module)
    assert print_module(parse_module(context, text)) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (exchange_text(kind="walk"), "kind 'walk' is none of"),
        (exchange_text(dim="15 physical 16"), "with a layout of shape"),
        (
            exchange_text(
                inner="%t = nn.abs %a : tensor<6x16xbf16>\n"
                + TRANSPOSE.replace("nn.transpose %a", "nn.transpose %t")
            ),
            "nn.abs moves no data",
        ),
        (exchange_text().replace("grid 2 x 3, [16", "grid 2 x 2, [16"), "share grid and format"),
        (exchange_text().replace("<BF16, grid 2 x 3, [16", "<FP32, grid 2 x 3, [16"), "stored as"),
        (
            exchange_text().replace(", #mesh.layout<BF16, grid 2 x 3, [6 by row step 3, 16]>", ""),
            "has no layout",
        ),
    ],
)
def test_wrong_exchanges_are_refused(text: str, words: str) -> None:
    module = parse_module(DojoContext(), text)
    with pytest.raises(VerifyException, match=words):
        module.verify()


def test_equal_boxes_at_different_origins_are_written_apart() -> None:
    layout = Layout((3, 16), (DimShard(("col",), 1, -1, 4, 4), whole(16)), "FP32", (2, 3))
    start, stop = layout.boxes()
    assert (start[0] == start[1]).all() and (stop[0] == stop[1]).all()  # a halo clipped either way
    array = np.arange(48, dtype=np.float32).reshape(3, 16)
    sram = np.zeros((6, layout.bytes), np.uint8)
    layout.write(array, sram, 0)
    rows = sram.view(np.float32).reshape(6, 4, 16)[:3, :, 0]
    assert rows.tolist() == [[0, 0, 16, 32], [0, 16, 32, 0], [16, 32, 0, 0]]
