"""Random nn modules: a list of small integers says which ops are put together; any list will do.

`module_of(steps)` returns (context, module, input array). Values stay near 1, so that comparisons
mean something; steps that do not suit their operand are skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Region, SSAValue

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import make_function
from dojocc.dialects.nn import constant_properties
from dojocc.dialects.op import OpList
from dojocc.dialects.types import tensor

Step = tuple[int, int, int]
SHAPES = ((2, 4, 6, 6), (1, 3, 8, 8), (4, 6), (2, 3, 8), (1, 8, 1, 1), (2, 4, 5, 8))
UNARY = ("abs", "negate", "tanh", "logistic", "sine", "gelu", "silu", "softplus", "hard_swish")
BINARY = ("add", "subtract", "multiply", "maximum", "minimum")
LARGEST = 3000


class Maker:
    """Ops so far, the values to choose from, and where new constants come from (state)."""

    def __init__(self, context: DojoContext, argument: SSAValue, seed: int) -> None:
        self.b = OpList("a step")
        self.values = [argument]
        self.resources = context.resources
        self.random = np.random.default_rng(seed)

    def constant(self, *shape: int, scale: float = 1.0) -> SSAValue:
        array = self.random.standard_normal(shape).astype(np.float32) * np.float32(scale)
        return self.b("constant", **constant_properties(array, "weight", self.resources))

    def step(self, step: Step) -> None:
        kind, which, variant = step
        value = self.values[which % len(self.values)]
        made = KINDS[kind % len(KINDS)](self, value, variant)
        if made is not None and prod(sizes(made)) <= LARGEST:
            self.values.append(made)


def sizes(value: SSAValue) -> tuple[int, ...]:
    return tuple(value.type.get_shape())  # pyright: ignore[reportAttributeAccessIssue]


def unary(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    name = UNARY[n % len(UNARY)]
    special = {"gelu": {"approximate": "tanh" if n % 2 else "none"}}
    return m.b(name, x, **special.get(name, {}))


def binary(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    """With another value of the same shape, with itself, or with a broadcast constant."""
    others = [value for value in m.values if sizes(value) == sizes(x)]
    other = others[n % len(others)]
    if n % 3 == 0 and sizes(x):
        axis = n % len(sizes(x))
        other = m.b.broadcast(m.constant(sizes(x)[axis]), sizes(x), [axis])
    pair = (x, other) if n % 2 else (other, x)
    return m.b(BINARY[n % len(BINARY)], *pair)


def neutral(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    name, number = (("add", 0.0), ("multiply", 1.0), ("divide", 1.0), ("multiply", 2.0))[n % 4]
    return m.b(name, x, m.b.splat(number, x))


def convolution(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    if len(sizes(x)) != 4:
        return None
    channels, out = sizes(x)[1], (1, 3, 8)[n % 3]
    groups = channels if n % 5 == 0 else 1
    out = channels if groups > 1 else out
    kernel, stride = ((1, 1), (3, 1), (3, 2), (1, 2))[n % 4]
    if kernel > min(sizes(x)[2:]) + 2:
        return None
    depth = channels // groups
    w = m.constant(out, depth, kernel, kernel, scale=(depth * kernel**2) ** -0.5)
    edge = kernel // 2
    return m.b(
        "convolution",
        x,
        w,
        strides=[stride] * 2,
        padding=[edge] * 4,
        lhs_dilation=[1 + (n % 7 == 6)] * 2,
        rhs_dilation=[1, 1],
        groups=groups,
        layout="nchw",
    )


def batch_norm(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    if len(sizes(x)) < 2:
        return None
    count = sizes(x)[1]
    scale, offset, mean = (m.constant(count) for _ in range(3))
    variance = m.b("add", m.b("abs", m.constant(count)), m.b("constant", **ones(m, count)))
    operands = (x, scale, offset, mean, variance)
    return m.b("batch_norm_inference", *operands, epsilon=1e-5, feature=1)


def ones(m: Maker, count: int) -> dict[str, object]:
    return constant_properties(np.ones(count, np.float32), "ones", m.resources)


def pool(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    if len(sizes(x)) != 4 or min(sizes(x)[2:]) < 2:
        return None
    kind = ("max", "sum")[n % 2]
    window, steps, edges = [1, 1, 2, 2], [1, 1, 2, 2], [0, 0, 0, 0, n % 2, 0, 0, n % 2]
    return m.b(
        "reduce_window",
        x,
        kind=kind,
        window=window,
        strides=steps,
        padding=edges,
        dilation=[1] * 4,
    )


def transpose(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    rank = len(sizes(x))
    order = np.random.default_rng(n).permutation(rank)
    return m.b("transpose", x, permutation=order)


def reshape(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    size = sizes(x)
    rows = size[0] if size else 1
    choices = [
        (*size, 1),
        (1, *size),
        (rows, prod(size) // max(rows, 1)),
        tuple(s for s in size if s != 1),
    ]
    return m.b("reshape", x, shape=choices[n % 4])


def cut(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    size = sizes(x)
    if not size or size[n % len(size)] < 3:
        return None
    start, limit, strides = [0] * len(size), list(size), [1] * len(size)
    start[n % len(size)], strides[n % len(size)] = 1, 1 + n % 2
    return m.b("slice", x, start=start, limit=limit, strides=strides)


def joined(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    others = [value for value in m.values if sizes(value) == sizes(x)]
    return (
        m.b("concatenate", x, others[n % len(others)], dim=n % len(sizes(x))) if sizes(x) else None
    )


def pad(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    low = [(n + axis) % 2 for axis in range(len(sizes(x)))]
    none = [0] * len(low)
    return m.b("pad", x, m.b.scalar(0.5, x.type.element_type), low=low, high=none, interior=none)


def reverse(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    return m.b("reverse", x, dims=[n % len(sizes(x))]) if sizes(x) else None


def reduce(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    """A reduction, broadcast back every other time."""
    size = sizes(x)
    if not size:
        return None
    dims = sorted({n % len(size), (n // 3) % len(size)})
    found = m.b("reduce", x, kind=("mean", "max", "min")[n % 3], dims=dims)
    kept = [axis for axis in range(len(size)) if axis not in dims]
    return m.b.broadcast(found, size, kept) if n % 2 else found


def rows(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    if not sizes(x):
        return None
    axis = n % len(sizes(x))
    if n % 3 < 2:
        return m.b(("softmax", "log_softmax")[n % 3], x, axis=axis)
    size = sizes(x)[axis:]
    return m.b("layer_norm", x, m.constant(*size), m.constant(*size), axis=axis, epsilon=1e-2)


def spelled(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    """A softmax or a layer norm along the last dim, taken apart as exporters do."""
    if not sizes(x):
        return None
    last, size = len(sizes(x)) - 1, sizes(x)
    name = ("softmax", "layer_norm")[n % 2]
    scale = [m.constant(size[-1]), m.constant(size[-1])] if n % 2 else []
    special = {"epsilon": 1e-2} if n % 2 else {}
    whole = OpList("a step")
    op = whole(name, x, *scale, axis=last, **special).owner
    return op.decompose(m.b)  # pyright: ignore[reportAttributeAccessIssue]


def product(m: Maker, x: SSAValue, n: int) -> SSAValue | None:
    """With constant weights along any dim, or with itself as in an attention."""
    size = sizes(x)
    if not size:
        return None
    axis = n % len(size)
    plain = {"lhs_batch": (), "rhs_batch": ()}
    if n % 3:
        w = m.constant(5, size[axis], scale=size[axis] ** -0.5)
        if n % 2:
            w = m.b("transpose", w, permutation=(1, 0))
        right = {"rhs_contract": [0 if n % 2 else 1]}
        return m.b("dot_general", x, w, lhs_contract=[axis], **right, **plain)
    if len(size) < 3:
        return None
    batch, last = (0,), len(size) - 1
    right = m.b("tanh", x)
    dims = {"lhs_batch": batch, "rhs_batch": batch, "lhs_contract": [last], "rhs_contract": [last]}
    return m.b("multiply", found := m.b("dot_general", x, right, **dims), m.b.splat(0.1, found))


KINDS: tuple[Callable[[Maker, SSAValue, int], SSAValue | None], ...] = (
    unary,
    binary,
    binary,
    neutral,
    convolution,
    convolution,
    batch_norm,
    pool,
    transpose,
    reshape,
    cut,
    joined,
    pad,
    reverse,
    reduce,
    rows,
    spelled,
    product,
)


def module_of(
    steps: Sequence[Step], shape: int, seed: int = 0
) -> tuple[DojoContext, ModuleOp, np.ndarray]:
    """The module of a list of steps, its context, and an input."""
    context = DojoContext()
    size = SHAPES[shape % len(SHAPES)]
    block = Block(arg_types=[tensor(size)])
    maker = Maker(context, block.args[0], seed)
    for step in steps:
        maker.step(step)
    results = list(dict.fromkeys(maker.values[-2:]))
    block.add_ops(maker.b.ops)
    block.add_op(ReturnOp(*results))
    names = [f"y{number}" for number in range(len(results))]
    module = ModuleOp([make_function(Region(block), ["x"], names, results)])
    array = np.random.default_rng(seed).standard_normal(size).astype(np.float32)
    return context, module, array
