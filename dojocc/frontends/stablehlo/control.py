"""Control flow: loops whose conditions stay known are unrolled, branches taken or chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from xdsl.dialects.builtin import i1
from xdsl.ir import SSAValue

from dojocc.frontends.build import NotSupported
from dojocc.frontends.composites.indexing import chosen
from dojocc.frontends.stablehlo.node import Node

if TYPE_CHECKING:
    from dojocc.frontends.stablehlo.importer import Importer, Values

CONTROL = ("stablehlo.while", "stablehlo.case", "stablehlo.if")
MOST_OPS = 20_000
"""Ops that repeated bodies may come to; a loop of streams would not need the limit."""

Outer = Mapping[SSAValue, SSAValue]


def control(importer: Importer, node: Node, values: Outer) -> Values:
    if node.name == "while":
        return loop(importer, node, values)
    return branches(importer, node, values)


def inner(block, given: Values, values: Outer) -> dict[SSAValue, SSAValue]:
    """The values a region sees: its arguments, and all around it."""
    return {**values, **dict(zip(block.args, given, strict=True))}


def loop(importer: Importer, node: Node, values: Outer) -> Values:
    """The body for as long as the condition is known to hold."""
    condition, body = (region.block for region in node.op.regions)
    size = sum(1 for _ in node.op.regions[1].walk())
    state = list(node.operands)
    where = importer.builder.location
    turn = 0
    while True:
        (going,) = importer.inline_with(condition, inner(condition, state, values))
        importer.builder.location = where
        known = importer.builder.number(going)
        if known is None:
            raise NotSupported("the condition depends on data; the number of turns must be known")
        if not bool(known.reshape(())):
            return state
        turn += 1
        if turn * size > MOST_OPS:
            raise NotSupported(f"{turn} turns of a body of {size} ops; at most {MOST_OPS} ops")
        state = importer.inline_with(body, inner(body, state, values))


def branches(importer: Importer, node: Node, values: Outer) -> Values:
    """A known branch alone; else all of them, and their results chosen between."""
    blocks = [region.block for region in node.op.regions]
    known = node.known(0)
    if known is not None:
        number = int(known.reshape(()))
        if node.name == "if":
            number = 0 if number else 1
        number = number if 0 <= number < len(blocks) else len(blocks) - 1
        return importer.inline_with(blocks[number], inner(blocks[number], [], values))
    found = [importer.inline_with(block, inner(block, [], values)) for block in blocks]
    b, index = node.b, node.x()
    if node.name == "if":
        return [chosen(b, index, *pair) for pair in zip(*found, strict=True)]
    result = found[-1]
    for number in reversed(range(len(blocks) - 1)):
        hit = b.compare("EQ", index, b.constant(np.array(number, np.int32)))
        rows = zip(found[number], result, strict=True)
        result = [chosen(b, b.convert(hit, i1), yes, no) for yes, no in rows]
    return result
