"""If, Loop and Scan with known conditions and trip counts: branches taken, bodies repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx

from dojocc.frontends.build import normal_axis, shape_of
from dojocc.frontends.onnx.model_file import constant_array
from dojocc.frontends.onnx.node import Node, Refusal, Value

if TYPE_CHECKING:
    from dojocc.frontends.onnx.importer import Importer, Results, Scope

CONTROL = ("If", "Loop", "Scan")
MOST_NODES = 20_000
"""Nodes that repeated bodies may come to; a loop of streams would not need the limit."""


def control(importer: Importer, node: Node, scope: Scope, where: str) -> Results:
    match node.op:
        case "If":
            return branch(importer, node, scope, where)
        case "Loop":
            return loop(importer, node, scope, where)
        case _:
            return scan(importer, node, scope, where)


def body_results(
    importer: Importer,
    node: Node,
    graph: onnx.GraphProto,
    scope: Scope,
    given: Results,
    where: str,
) -> Results:
    """A body's outputs for the values of its inputs; it also sees the names around it."""
    inner = scope.copy()
    for tensor in graph.initializer:
        inner[tensor.name] = constant_array(tensor, importer.source)
        inner.kinds.pop(tensor.name, None)
    for value, (held, kind) in zip(graph.input, given, strict=True):
        inner[value.name], inner.kinds[value.name] = held, kind
    importer.nodes(graph.node, inner, node.opset, where)
    if any(importer.is_lost(inner[value.name]) for value in graph.output):
        raise Refusal("its body has nodes that are not supported")
    return [(inner[value.name], inner.kind(value.name)) for value in graph.output]


def branch(importer: Importer, node: Node, scope: Scope, where: str) -> Results:
    """An If whose condition is known: the branch it takes."""
    taken = bool(node.require(0, "the condition").reshape(-1)[0])
    graph = node.attr("then_branch" if taken else "else_branch")
    return body_results(importer, node, graph, scope, [], where)


def check_size(graph: onnx.GraphProto, count: int) -> None:
    if count * len(graph.node) > MOST_NODES:
        raise Refusal(
            f"{count} passes of a body of {len(graph.node)} nodes; at most {MOST_NODES} nodes"
        )


def loop(importer: Importer, node: Node, scope: Scope, where: str) -> Results:
    """A known trip count, or conditions that stay known; one of the two must end it."""
    graph = node.attr("body")
    limit = int(node.require(0, "the trip count").reshape(-1)[0]) if node.has(0) else None
    going = bool(node.require(1, "the condition").reshape(-1)[0]) if node.has(1) else True
    carried: Results = list(zip(node.operands[2:], node.kinds[2:], strict=True))
    stacked: list[Results] = []
    turn = 0
    while going and (limit is None or turn < limit):
        check_size(graph, turn + 1)
        start: Results = [(np.array(turn, np.int64), None), (np.array(True), None)]
        results = body_results(importer, node, graph, scope, [*start, *carried], where)
        condition = results[0][0]
        if not isinstance(condition, np.ndarray):
            raise Refusal("its condition depends on data")
        going = bool(condition.reshape(-1)[0])
        carried = results[1 : 1 + len(carried)]
        stacked.append(results[1 + len(carried) :])
        turn += 1
    return [*carried, *stack(node, stacked, [0] * (len(node.proto.output) - len(carried)))]


def stack(node: Node, rows: list[Results], axes: Sequence[int]) -> Results:
    """The outputs of all turns, each put together along a new dim."""
    if axes and not rows:
        raise Refusal("a loop without a turn has empty results")
    results: Results = []
    for number, axis in enumerate(axes):
        values = [row[number][0] for row in rows]
        results.append((stacked(node, values, axis), rows[0][number][1]))
    return results


def stacked(node: Node, values: Sequence[Value | None], axis: int) -> Value:
    arrays = [value for value in values if isinstance(value, np.ndarray)]
    if len(arrays) == len(values):
        return np.stack(arrays, axis)
    parts = []
    for value in values:
        assert value is not None
        if isinstance(value, np.ndarray):
            value = node.materialise(value, "")
        shape = list(shape_of(value))
        at = normal_axis(axis, len(shape) + 1)
        parts.append(node.b.reshape(value, [*shape[:at], 1, *shape[at:]]))
    return node.b.concatenate(parts, normal_axis(axis, len(shape_of(parts[0]))))


def scan(importer: Importer, node: Node, scope: Scope, where: str) -> Results:
    """One pass of the body for each row of the scanned inputs."""
    if node.opset < 9:
        raise Refusal("before opset 9 it has a batch dim; convert the model to a newer opset")
    graph, scanned = node.attr("body"), node.attr("num_scan_inputs")
    states = node.count - scanned
    given_axes = enumerate(listed(node, "input_axes", scanned))
    axes = [normal_axis(axis, node.rank(states + number)) for number, axis in given_axes]
    outputs = len(node.proto.output) - states
    turns = node.shape(states)[axes[0]]
    check_size(graph, turns)
    back = listed(node, "input_directions", scanned)
    carried: Results = list(zip(node.operands[:states], node.kinds[:states], strict=True))
    rows: list[Results] = []
    for turn in range(turns):
        given: Results = list(carried)
        for number in range(scanned):
            place = turns - 1 - turn if back[number] else turn
            index = states + number
            given.append((row_of(node, index, axes[number], place), node.kinds[index]))
        results = body_results(importer, node, graph, scope, given, where)
        carried = results[:states]
        rows.append(results[states:])
    found = []
    axes_out = listed(node, "output_axes", outputs)
    for number, turned in enumerate(listed(node, "output_directions", outputs)):
        order = rows[::-1] if turned else rows
        found += stack(node, [[row[number]] for row in order], [axes_out[number]])
    return [*carried, *found]


def listed(node: Node, name: str, count: int) -> list[int]:
    return list(node.attr(name) or [0] * count)


def row_of(node: Node, index: int, axis: int, place: int) -> Value:
    """Row `place` of an operand along `axis`, without that dim."""
    value = node.operand(index)
    if isinstance(value, np.ndarray):
        return np.take(value, place, axis)
    shape = list(shape_of(value))
    low, high = [0] * len(shape), list(shape)
    low[axis], high[axis] = place, place + 1
    cut = node.b.slice(value, low, high)
    return node.b.reshape(cut, [size for i, size in enumerate(shape) if i != axis])
