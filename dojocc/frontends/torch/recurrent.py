"""LSTM, GRU and plain RNN as PyTorch packs their weights."""

from __future__ import annotations

from xdsl.ir import SSAValue

from dojocc.frontends.build import NotSupported, shape_of
from dojocc.frontends.composites.recurrent import Cell, activation, run_cell
from dojocc.frontends.torch.node import Node, handles

ORDERS = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn_tanh": (0,), "rnn_relu": (0,)}
"""Where PyTorch keeps the gates: input, forget, cell, output; reset, update, new."""
FUNCTIONS = {
    "lstm": ("Sigmoid", "Tanh", "Tanh"),
    "gru": ("Sigmoid", "Tanh"),
    "rnn_tanh": ("Tanh",),
    "rnn_relu": ("Relu",),
}
KINDS = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}


@handles(*ORDERS)
def recurrent(node: Node) -> tuple[SSAValue, ...]:
    """(all steps, the last states) of layers one behind the other."""
    if node.source.overload != "input":
        raise NotSupported("packed sequences are not supported")
    if node.raw("train", False) and node.number("dropout", 0):
        raise NotSupported("random dropout is on; call module.eval() before exporting")
    b, x = node.b, node.x("input")
    unbatched = len(shape_of(x)) == 2
    x = b.reshape(x, (shape_of(x)[0], 1, shape_of(x)[1])) if unbatched else x
    first = bool(node.raw("batch_first", False)) and not unbatched
    x = b.transpose(x, (1, 0, 2)) if first else x
    states = node.tensors("hx") if node.op == "lstm" else [node.x("hx")]
    last: list[list[SSAValue]] = [[] for _ in states]
    for layer in range(node.number("num_layers")):
        x, ends = one_layer(node, x, states, layer)
        for rows, end in zip(last, ends, strict=True):
            rows.extend(end)
    x = b.transpose(x, (1, 0, 2)) if first else x
    results = [x, *(b.concatenate(rows, 0) for rows in last)]
    wanted = [meta.shape for meta in node.source.results if meta is not None]
    return tuple(b.reshape(each, shape) for each, shape in zip(results, wanted, strict=True))


def one_layer(
    node: Node, x: SSAValue, states: list[SSAValue], layer: int
) -> tuple[SSAValue, list[list[SSAValue]]]:
    """Every step of one layer side by side, and [1, batch, size] of each direction's states."""
    b, directions = node.b, 2 if node.raw("bidirectional", False) else 1
    count, batch, _ = shape_of(x)
    runs = []
    for back in range(directions):
        number = layer * directions + back
        cell = cell_of(node, number)
        start = [row_of(node, state, number) for state in states]
        runs.append((run_cell(cell, x, start, bool(back)), cell))
    steps = []
    for turn in range(count):
        parts = [b.reshape(shown[turn], (1, batch, cell.size)) for (shown, _), cell in runs]
        steps.append(b.concatenate(parts, 2))
    ends = [
        [b.reshape(run[1][i], (1, *shape_of(run[1][i]))) for run, _ in runs]
        for i in range(len(states))
    ]
    return b.concatenate(steps, 0), ends


def row_of(node: Node, state: SSAValue, number: int) -> SSAValue:
    """[batch, size] of one layer and direction; without a batch the state has rank 2."""
    b, shape = node.b, shape_of(state)
    wide = b.reshape(state, (shape[0], 1, shape[1])) if len(shape) == 2 else state
    _, batch, size = shape_of(wide)
    row = b.slice(wide, [number, 0, 0], [number + 1, batch, size])
    return b.reshape(row, (batch, size))


def cell_of(node: Node, number: int) -> Cell:
    """The weights of one layer and direction: two matrices and, if there are, two biases."""
    b, weights = node.b, node.tensors("params")
    each = 4 if node.raw("has_biases", True) else 2
    rows = weights[number * each : (number + 1) * each]
    size = shape_of(rows[1])[1]
    if len(weights) % each or len(rows) != each:
        raise NotSupported("projections of the hidden state are not supported")
    return Cell(
        b,
        KINDS[node.op],
        size,
        rows[0],
        rows[1],
        rows[2] if each == 4 else None,
        rows[3] if each == 4 else None,
        [activation(b, name) for name in FUNCTIONS[node.op]],
        order=ORDERS[node.op],
        reset_behind=True,
    )
