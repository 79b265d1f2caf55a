"""RNN, GRU and LSTM: the gates of every step, one step after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import i32
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, NotSupported, shape_of

Activation = Callable[[SSAValue], SSAValue]
PLAIN = {"Tanh": "tanh", "Sigmoid": "logistic", "Softsign": "softsign", "Softplus": "softplus"}


def activation(b: Builder, name: str) -> Activation:
    if name == "Relu":
        return lambda x: b.emit("maximum", x, b.like(x, 0))
    if name not in PLAIN:
        raise NotSupported(f"activation {name} is not supported")
    return lambda x: b.emit(PLAIN[name], x)


@dataclass(frozen=True)
class Cell:
    """One direction's weights, as matrices to multiply rows with, and its activations.

    `order` says which rows of the weights a gate has: update, reset, hidden of a GRU; input,
    output, forget, cell of an LSTM. `peepholes` are for input, output, forget.
    """

    b: Builder
    kind: str
    size: int
    input: SSAValue
    state: SSAValue
    bias: SSAValue | None
    state_bias: SSAValue | None
    activations: Sequence[Activation]
    order: Sequence[int] = (0, 1, 2, 3)
    peepholes: Sequence[SSAValue] | None = None
    input_forget: bool = False
    reset_behind: bool = False
    """GRU: the product with the state comes before the reset gate."""

    @property
    def states(self) -> int:
        return 2 if self.kind == "LSTM" else 1

    def product(self, x: SSAValue, weights: SSAValue, bias: SSAValue | None) -> SSAValue:
        result = self.b.dot_general(x, weights, ([1], [1]))
        return result if bias is None else self.b.binary("add", result, bias)

    def gate(self, x: SSAValue, number: int) -> SSAValue:
        rows, first = shape_of(x)[0], self.order[number] * self.size
        return self.b.slice(x, [0, first], [rows, first + self.size])

    def add(self, left: SSAValue, right: SSAValue) -> SSAValue:
        return self.b.binary("add", left, right)

    def step(self, x: SSAValue, state: Sequence[SSAValue]) -> list[SSAValue]:
        """The next state: (hidden) or (hidden, cell)."""
        parts = self.product(x, self.input, self.bias)
        match self.kind:
            case "RNN":
                inner = self.product(state[0], self.state, self.state_bias)
                return [self.activations[0](self.add(parts, inner))]
            case "GRU":
                return [self.gru(parts, state[0])]
            case _:
                return self.lstm(parts, state)

    def gru(self, parts: SSAValue, hidden: SSAValue) -> SSAValue:
        b, size, (bend, squash) = self.b, self.size, self.activations
        inner = self.product(hidden, self.state, self.state_bias)
        update = bend(self.add(self.gate(parts, 0), self.gate(inner, 0)))
        reset = bend(self.add(self.gate(parts, 1), self.gate(inner, 1)))
        if self.reset_behind:
            past = b.emit("multiply", reset, self.gate(inner, 2))
        else:
            first = self.order[2] * size
            rows = b.slice(self.state, [first, 0], [first + size, size])
            bias = self.state_bias
            bias = None if bias is None else b.slice(bias, [first], [first + size])
            past = self.product(b.emit("multiply", reset, hidden), rows, bias)
        fresh = squash(self.add(self.gate(parts, 2), past))
        kept = b.emit("multiply", update, hidden)
        rest = b.emit("subtract", b.like(update, 1), update)
        return self.add(b.emit("multiply", rest, fresh), kept)

    def lstm(self, parts: SSAValue, state: Sequence[SSAValue]) -> list[SSAValue]:
        b, (hidden, cell), (bend, squash, show) = self.b, state, self.activations
        total = self.add(parts, self.product(hidden, self.state, self.state_bias))

        def peeped(number: int, source: SSAValue) -> SSAValue:
            gate = self.gate(total, number)
            if self.peepholes is None:
                return gate
            return self.add(gate, b.binary("multiply", self.peepholes[number], source))

        taken = bend(peeped(0, cell))
        forget = bend(peeped(2, cell))
        if self.input_forget:
            forget = b.emit("subtract", b.like(taken, 1), taken)
        fresh = squash(self.gate(total, 3))
        cell = self.add(b.emit("multiply", forget, cell), b.emit("multiply", taken, fresh))
        shown = bend(peeped(1, cell))
        return [b.emit("multiply", shown, show(cell)), cell]


def run_cell(
    cell: Cell,
    x: SSAValue,
    state: Sequence[SSAValue],
    back: bool = False,
    lengths: SSAValue | None = None,
) -> tuple[list[SSAValue], list[SSAValue]]:
    """([batch, size] of each step, the last states) over x [steps, batch, inputs].

    Rows past their length keep their state and show zeros.
    """
    b, (count, batch, width) = cell.b, shape_of(x)
    current, shown = list(state), [x] * count
    for turn in range(count):
        place = count - 1 - turn if back else turn
        row = b.reshape(b.slice(x, [place, 0, 0], [place + 1, batch, width]), (batch, width))
        fresh = cell.step(row, current)
        out = fresh[0]
        if lengths is not None:
            live = b.compare("GT", b.convert(lengths, i32), b.full(place, (), i32))
            live = b.emit("broadcast_in_dim", live, dims=(0,), shape=(batch, cell.size))
            fresh = [b.select(live, new, old) for new, old in zip(fresh, current, strict=True)]
            out = b.select(live, out, b.like(out, 0))
        current, shown[place] = fresh, out
    return shown, current
