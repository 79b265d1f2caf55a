"""RNN, GRU and LSTM: the gates of every step, one step after another."""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, shape_of
from dojocc.frontends.onnx.node import Node, Refusal, handles

Activation = Callable[[SSAValue], SSAValue]
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
PLAIN = {"Tanh": "tanh", "Sigmoid": "logistic", "Softsign": "softsign", "Softplus": "softplus"}


class Direction:
    """One direction's weights, as matrices to multiply rows with, and its activations."""

    def __init__(self, node: Node, number: int) -> None:
        b, gates = node.b, GATES[node.op]
        self.node, self.b = node, b
        self.size = node.shape(2)[2]
        self.input = self.one(node.weight(1), number)
        self.state = self.one(node.weight(2), number)
        self.bias = self.state_bias = None
        if node.has(3):
            both = self.one(node.weight(3), number)
            half = gates * self.size
            self.bias, self.state_bias = (b.slice(both, [low], [low + half]) for low in (0, half))
        names = node.attr("activations") or DEFAULTS[node.op] * 2
        count = len(DEFAULTS[node.op])
        self.f = [activation(b, name) for name in names[number * count : (number + 1) * count]]
        self.peepholes: list[SSAValue] | None = None
        if node.op == "LSTM" and node.has(7):
            rows = self.one(node.weight(7), number)
            self.peepholes = [
                b.slice(rows, [i * self.size], [(i + 1) * self.size]) for i in range(3)
            ]

    def one(self, x: SSAValue, number: int) -> SSAValue:
        """Row `number` of the leading dim."""
        shape = shape_of(x)
        low, high = [number] + [0] * (len(shape) - 1), [number + 1, *shape[1:]]
        return self.b.reshape(self.b.slice(x, low, high), shape[1:])

    def product(self, x: SSAValue, weights: SSAValue, bias: SSAValue | None) -> SSAValue:
        result = self.b.dot_general(x, weights, ([1], [1]))
        return result if bias is None else self.b.binary("add", result, bias)

    def gate(self, x: SSAValue, number: int) -> SSAValue:
        rows = shape_of(x)[0]
        first = number * self.size
        return self.b.slice(x, [0, first], [rows, first + self.size])

    def add(self, *values: SSAValue) -> SSAValue:
        total = values[0]
        for value in values[1:]:
            total = self.b.binary("add", total, value)
        return total

    def step(self, x: SSAValue, state: list[SSAValue]) -> list[SSAValue]:
        """The next state: (hidden) or (hidden, cell)."""
        parts = self.product(x, self.input, self.bias)
        match self.node.op:
            case "RNN":
                return [
                    self.f[0](self.add(parts, self.product(state[0], self.state, self.state_bias)))
                ]
            case "GRU":
                return [self.gru(parts, state[0])]
            case _:
                return self.lstm(parts, state)

    def gru(self, parts: SSAValue, hidden: SSAValue) -> SSAValue:
        """Gates in the order update, reset, hidden."""
        b, size = self.b, self.size
        inner = self.product(hidden, self.state, self.state_bias)
        update = self.f[0](self.add(self.gate(parts, 0), self.gate(inner, 0)))
        reset = self.f[0](self.add(self.gate(parts, 1), self.gate(inner, 1)))
        if self.node.attr("linear_before_reset", 0):
            past = b.emit("multiply", reset, self.gate(inner, 2))
        else:
            rows = b.slice(self.state, [2 * size, 0], [3 * size, size])
            bias = self.state_bias
            bias = None if bias is None else b.slice(bias, [2 * size], [3 * size])
            past = self.product(b.emit("multiply", reset, hidden), rows, bias)
        fresh = self.f[1](self.add(self.gate(parts, 2), past))
        kept = b.emit("multiply", update, hidden)
        rest = b.emit("subtract", b.like(update, 1), update)
        return self.add(b.emit("multiply", rest, fresh), kept)

    def lstm(self, parts: SSAValue, state: list[SSAValue]) -> list[SSAValue]:
        """Gates in the order input, output, forget, cell; peepholes input, output, forget."""
        b, (hidden, cell) = self.b, state
        total = self.add(parts, self.product(hidden, self.state, self.state_bias))

        def peeped(number: int, place: int, source: SSAValue) -> SSAValue:
            gate = self.gate(total, number)
            if self.peepholes is None:
                return gate
            return self.add(gate, b.binary("multiply", self.peepholes[place], source))

        taken = self.f[0](peeped(0, 0, cell))
        forget = self.f[0](peeped(2, 2, cell))
        if self.node.attr("input_forget", 0):
            forget = b.emit("subtract", b.like(taken, 1), taken)
        fresh = self.f[1](self.gate(total, 3))
        cell = self.add(b.emit("multiply", forget, cell), b.emit("multiply", taken, fresh))
        shown = self.f[0](peeped(1, 1, cell))
        return [b.emit("multiply", shown, self.f[2](cell)), cell]


def activation(b: Builder, name: str) -> Activation:
    if name == "Relu":
        return lambda x: b.emit("maximum", x, b.like(x, 0))
    if name not in PLAIN:
        raise Refusal(f"activation {name} is not supported")
    return lambda x: b.emit(PLAIN[name], x)


@handles("RNN", "GRU", "LSTM")
def recurrent(node: Node) -> tuple[SSAValue, ...]:
    """Every direction over the whole sequence; rows past their length keep their state."""
    if node.attr("clip") is not None:
        raise Refusal("clip is not supported")
    b, x = node.b, node.x()
    batch_first = bool(node.attr("layout", 0))
    x = b.transpose(x, (1, 0, 2)) if batch_first else x
    directions = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
    backward = directions[node.attr("direction", "forward")]
    runs = [
        one_direction(node, x, number, back, batch_first) for number, back in enumerate(backward)
    ]
    steps = [b.concatenate([run[0][t] for run in runs], 1) for t in range(shape_of(x)[0])]
    results = [b.concatenate(steps, 0)]
    results += [b.concatenate([run[1][i] for run in runs], 0) for i in range(len(runs[0][1]))]
    if batch_first:
        results[0] = b.transpose(results[0], (2, 0, 1, 3))
        results[1:] = [b.transpose(each, (1, 0, 2)) for each in results[1:]]
    return tuple(results)


def one_direction(
    node: Node, x: SSAValue, number: int, back: bool, batch_first: bool
) -> tuple[list[SSAValue], list[SSAValue]]:
    """([1, 1, batch, size] of each step, [1, batch, size] of the last states)."""
    b, direction = node.b, Direction(node, number)
    count, batch, width = shape_of(x)
    states = 2 if node.op == "LSTM" else 1
    state = [start(node, direction, 5 + i, number, batch, batch_first) for i in range(states)]
    lengths = node.x(4) if node.has(4) else None
    shown: list[SSAValue] = [x] * count
    for turn in range(count):
        place = count - 1 - turn if back else turn
        row = b.reshape(b.slice(x, [place, 0, 0], [place + 1, batch, width]), (batch, width))
        fresh = direction.step(row, state)
        out = fresh[0]
        if lengths is not None:
            live = b.compare("GT", b.convert(lengths, i32), b.full(place, (), i32))
            live = b.emit("broadcast_in_dim", live, dims=(0,), shape=(batch, direction.size))
            fresh = [b.select(live, new, old) for new, old in zip(fresh, state, strict=True)]
            out = b.select(live, out, b.like(out, 0))
        state = fresh
        shown[place] = b.reshape(out, (1, 1, batch, direction.size))
    return shown, [b.reshape(each, (1, batch, direction.size)) for each in state]


def start(
    node: Node, direction: Direction, index: int, number: int, batch: int, batch_first: bool
) -> SSAValue:
    if not node.has(index):
        return node.b.full(0, (batch, direction.size))
    given = node.weight(index)
    given = node.b.transpose(given, (1, 0, 2)) if batch_first else given
    return direction.one(given, number)
