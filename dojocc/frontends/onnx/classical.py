"""Ops of ai.onnx.ml on numbers."""

from __future__ import annotations

from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import element_of, shape_of
from dojocc.frontends.onnx.node import Node, handles


@handles("ai.onnx.ml.Binarizer")
def binarise(node: Node) -> SSAValue:
    b, x = node.b, node.x()
    above = b.compare("GT", x, b.like(x, node.attr("threshold", 0.0)))
    return b.convert(above, element_of(x))


@handles("ai.onnx.ml.ArrayFeatureExtractor")
def pick_features(node: Node) -> SSAValue:
    """Columns of the last dim by number; a vector counts as one row."""
    b, x = node.b, node.x()
    x = b.reshape(x, (1, *shape_of(x))) if len(shape_of(x)) == 1 else x
    index = b.convert(node.x(1), i32)
    return b.take(x, b.reshape(index, (index_count(index),)), len(shape_of(x)) - 1)


def index_count(index: SSAValue) -> int:
    count = 1
    for size in shape_of(index):
        count *= size
    return count
