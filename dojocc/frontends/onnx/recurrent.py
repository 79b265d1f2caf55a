"""RNN, GRU and LSTM as ONNX packs their weights."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, shape_of
from dojocc.frontends.composites.recurrent import Cell, activation, run_cell
from dojocc.frontends.onnx.node import Node, Refusal, handles

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}


@handles("RNN", "GRU", "LSTM")
def recurrent(node: Node) -> tuple[SSAValue, ...]:
    """Every direction over the whole sequence."""
    if node.attr("clip") is not None:
        raise Refusal("clip is not supported")
    b, x = node.b, node.x()
    batch_first = bool(node.attr("layout", 0))
    x = b.transpose(x, (1, 0, 2)) if batch_first else x
    directions = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
    backward = directions[node.attr("direction", "forward")]
    lengths = node.x(4) if node.has(4) else None
    count, batch, _ = shape_of(x)
    runs = []
    for number, back in enumerate(backward):
        cell = cell_of(node, number)
        state = [start(node, cell, 5 + i, number, batch, batch_first) for i in range(cell.states)]
        runs.append(run_cell(cell, x, state, back, lengths))
    size = node.shape(2)[2]
    steps = [
        b.concatenate([b.reshape(run[0][t], (1, 1, batch, size)) for run in runs], 1)
        for t in range(count)
    ]
    results = [b.concatenate(steps, 0)]
    for i in range(len(runs[0][1])):
        rows = [b.reshape(run[1][i], (1, batch, size)) for run in runs]
        results.append(b.concatenate(rows, 0))
    if batch_first:
        results[0] = b.transpose(results[0], (2, 0, 1, 3))
        results[1:] = [b.transpose(each, (1, 0, 2)) for each in results[1:]]
    return tuple(results)


def cell_of(node: Node, number: int) -> Cell:
    """Direction `number`; gates stand as ONNX orders them."""
    b, size = node.b, node.shape(2)[2]
    bias = state_bias = peepholes = None
    if node.has(3):
        both, half = one(b, node.weight(3), number), GATES[node.op] * size
        bias, state_bias = (b.slice(both, [low], [low + half]) for low in (0, half))
    if node.op == "LSTM" and node.has(7):
        rows = one(b, node.weight(7), number)
        peepholes = [b.slice(rows, [i * size], [(i + 1) * size]) for i in range(3)]
    count = len(DEFAULTS[node.op])
    names = node.attr("activations") or DEFAULTS[node.op] * 2
    return Cell(
        b,
        node.op,
        size,
        one(b, node.weight(1), number),
        one(b, node.weight(2), number),
        bias,
        state_bias,
        [activation(b, name) for name in names[number * count : (number + 1) * count]],
        peepholes=peepholes,
        input_forget=bool(node.attr("input_forget", 0)),
        reset_behind=bool(node.attr("linear_before_reset", 0)),
    )


def one(b: Builder, x: SSAValue, number: int) -> SSAValue:
    """Row `number` of the leading dim."""
    shape = shape_of(x)
    low, high = [number] + [0] * (len(shape) - 1), [number + 1, *shape[1:]]
    return b.reshape(b.slice(x, low, high), shape[1:])


def start(
    node: Node, cell: Cell, index: int, number: int, batch: int, batch_first: bool
) -> SSAValue:
    if not node.has(index):
        return node.b.full(0, (batch, cell.size))
    given = node.weight(index)
    given = node.b.transpose(given, (1, 0, 2)) if batch_first else given
    return one(node.b, given, number)
