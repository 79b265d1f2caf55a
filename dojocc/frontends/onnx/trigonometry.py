"""Trigonometric and hyperbolic functions that the machine has no instruction for."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dojocc.frontends.composites.trigonometry import FUNCTIONS
from dojocc.frontends.onnx.node import Node, handles


@handles(*(name.capitalize() for name in FUNCTIONS))
def function(node: Node) -> SSAValue:
    return FUNCTIONS[node.op.lower()](node.b, node.x())
