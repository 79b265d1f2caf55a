"""One maker for each op of the nn registry: adds the op to a growing graph, on a value of it.

A maker draws properties and further operands at random and gives the value made, or None where
its op does not suit the value. registry_graphs.py puts them together.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np
from xdsl.dialects.builtin import f32, i1, i8, i16, i32
from xdsl.ir import Attribute, SSAValue

from dojocc.dialects.nn.pooling import WINDOW_KINDS
from dojocc.dialects.nn.reduction import ARG_KINDS, REDUCE_KINDS

Maker = Callable[[Any, SSAValue], SSAValue | None]
MAKERS: dict[str, Maker] = {}


def makes(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enrol a maker for these ops; it is called with the op's name behind graph and value."""

    def enrol(maker: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            MAKERS[name] = partial(maker, name=name)
        return maker

    return enrol


def sizes(value: SSAValue) -> tuple[int, ...]:
    return tuple(value.type.get_shape())  # pyright: ignore[reportAttributeAccessIssue]


def element(value: SSAValue) -> Attribute:
    return value.type.element_type  # pyright: ignore[reportAttributeAccessIssue]


def pick(g: Any, choices: Any) -> Any:
    return choices[int(g.random.integers(len(choices)))]


def some_axis(g: Any, x: SSAValue) -> int:
    return int(g.random.integers(len(sizes(x))))


def some_axes(g: Any, x: SSAValue) -> list[int]:
    """Dims of a value, at least one where it has any."""
    rank = len(sizes(x))
    found = [axis for axis in range(rank) if g.random.random() < 0.4]
    return found or ([some_axis(g, x)] if rank else [])


@makes("exponential", "exponential_minus_one", "sine", "cosine", "tanh", "logistic", "erf")
@makes("abs", "negate", "sign", "floor", "ceil", "round_nearest_even", "is_finite", "not")
@makes("softplus", "mish", "softsign", "silu", "hard_swish")
def unary(g: Any, x: SSAValue, name: str) -> SSAValue:
    return g(name, x)


@makes("log", "log_plus_one", "sqrt", "rsqrt")
def of_positive(g: Any, x: SSAValue, name: str) -> SSAValue:
    """Mostly of something above 0, as models do; raw where special numbers are wanted."""
    if g.special:
        return g(name, x)
    return g(name, g("add", g("abs", x), g.weight_of(0.1, x)))


@makes("gelu", "hard_sigmoid", "leaky_relu", "elu", "selu")
def activation(g: Any, x: SSAValue, name: str) -> SSAValue:
    alpha = float(np.float32(g.random.uniform(0.01, 1.5)))
    rows: dict[str, dict[str, Any]] = {
        "gelu": {"approximate": pick(g, ("none", "tanh"))},
        "hard_sigmoid": {"alpha": alpha, "beta": 0.5},
        "leaky_relu": {"alpha": alpha},
        "elu": {"alpha": alpha},
        "selu": {"alpha": alpha, "gamma": 1.05},
    }
    return g(name, x, **rows[name])


@makes("add", "subtract", "multiply", "maximum", "minimum", "and", "or", "xor")
def binary(g: Any, x: SSAValue, name: str) -> SSAValue:
    pair = [x, g.second(sizes(x), element(x))]
    return g(name, *(pair if g.random.random() < 0.5 else pair[::-1]))


@makes("divide", "remainder")
def quotient(g: Any, x: SSAValue, name: str) -> SSAValue | None:
    """Floats by something away from 0; whole numbers by anything, as zero has its own rule.

    What 3e38 leaves is not asked for: the kernel is exact for quotients below 2 ** 24.
    """
    if name == "remainder" and element(x) == f32 and g.special:
        return None
    y = g.second(sizes(x), element(x))
    if element(x) == f32 and not g.special:
        y = g("add", g("abs", y), g.weight_of(0.5, y))
    return g(name, x, y)


@makes("power")
def power(g: Any, x: SSAValue, name: str) -> SSAValue:
    if element(x) != f32:
        y = g("abs", g.second(sizes(x), element(x)))
        small = g("minimum", y, g.weight_of(3, y))
        return g(name, g("maximum", g("minimum", x, g.weight_of(5, x)), g.weight_of(-5, x)), small)
    if g.random.random() < 0.5:
        return g(name, x, g.weight_of(pick(g, (2.0, 3.0, 0.0, 1.0)), x))
    base = g("add", g("abs", x), g.weight_of(0.1, x))
    return g(name, base, g("tanh", g.second(sizes(x), f32)))


@makes("compare")
def compare(g: Any, x: SSAValue, name: str) -> SSAValue:
    direction = pick(g, ("EQ", "NE", "LT", "LE", "GT", "GE"))
    return g(name, x, g.second(sizes(x), element(x)), direction=direction)


@makes("select")
def select(g: Any, x: SSAValue, name: str) -> SSAValue:
    predicate = g.second(sizes(x), i1)
    return g(name, predicate, x, g.second(sizes(x), element(x)))


@makes("clamp")
def clamp(g: Any, x: SSAValue, name: str) -> SSAValue:
    """Between scalars or between tensors; one bound may be a scalar and the other none."""
    bounds = [
        g.weight((), element(x)) if g.random.random() < 0.5 else g.second(sizes(x), element(x))
        for _ in range(2)
    ]
    return g(name, bounds[0], x, bounds[1])


@makes("convert")
def convert(g: Any, x: SSAValue, name: str) -> SSAValue:
    return g(name, x, element_type=pick(g, (f32, i32, i16, i8, i1)))


@makes("bitcast_convert")
def bitcast(g: Any, x: SSAValue, name: str) -> SSAValue | None:
    """Bits and back again with the sign cleared: other bits are any number at all."""
    if element(x) == f32:
        bits = g(name, x, element_type=i32)
        kept = g("and", bits, g.weight_of(0x7FFFFFFF, bits))
        return g(name, kept, element_type=f32)
    return g(name, x, element_type=f32) if element(x) == i32 and g.special else None


@makes("constant")
def constant(g: Any, x: SSAValue, name: str) -> SSAValue:
    """A constant of any type and size, by itself: in the text, or named."""
    shape = [int(size) for size in g.random.integers(1, 7, int(g.random.integers(0, 4)))]
    return g.weight(shape, pick(g, (f32, i32, i16, i8, i1)))


@makes("iota")
def iota(g: Any, x: SSAValue, name: str) -> SSAValue | None:
    if not sizes(x):
        return None
    numbers = g(name, dim=some_axis(g, x), shape=sizes(x), element_type=pick(g, (f32, i32)))
    return g("add", numbers, x) if element(numbers) == element(x) else numbers


@makes("reshape")
def reshape(g: Any, x: SSAValue, name: str) -> SSAValue:
    """Any way to write the number of elements as a product of up to five sizes."""
    left, shape = prod(sizes(x)), []
    for _ in range(int(g.random.integers(0, 5))):
        divisors = [size for size in range(1, left + 1) if left % size == 0]
        shape.append(pick(g, divisors))
        left //= shape[-1]
    if left != 1 or not shape:
        shape.insert(int(g.random.integers(len(shape) + 1)), left)
    return g(name, x, shape=shape)


@makes("transpose")
def transpose(g: Any, x: SSAValue, name: str) -> SSAValue:
    return g(name, x, permutation=[int(axis) for axis in g.random.permutation(len(sizes(x)))])


@makes("slice")
def cut(g: Any, x: SSAValue, name: str) -> SSAValue:
    start = [int(g.random.integers(0, size)) for size in sizes(x)]
    rows = zip(start, sizes(x), strict=True)
    limit = [int(g.random.integers(low + 1, size + 1)) for low, size in rows]
    return g(name, x, start=start, limit=limit, strides=[pick(g, (1, 1, 2, 3)) for _ in start])


@makes("concatenate")
def concatenate(g: Any, x: SSAValue, name: str) -> SSAValue | None:
    if not sizes(x):
        return None
    axis, parts = some_axis(g, x), [x]
    for _ in range(int(g.random.integers(0, 3))):
        other = list(sizes(x))
        other[axis] = int(g.random.integers(1, 5))
        parts.append(g.second(other, element(x)))
    return g(name, *(parts if g.random.random() < 0.5 else parts[::-1]), dim=axis)


@makes("pad")
def pad(g: Any, x: SSAValue, name: str) -> SSAValue:
    low, high = ([int(edge) for edge in g.random.integers(-1, 3, len(sizes(x)))] for _ in "lh")
    interior = [pick(g, (0, 0, 0, 1, 2)) for _ in low]
    if g.random.random() < 0.3:
        value = g.add_input((), element(x))
    else:
        value = g.weight((), element(x))
    return g(name, x, value, low=low, high=high, interior=interior)


@makes("reverse")
def reverse(g: Any, x: SSAValue, name: str) -> SSAValue:
    return g(name, x, dims=some_axes(g, x))


@makes("broadcast_in_dim")
def broadcast(g: Any, x: SSAValue, name: str) -> SSAValue:
    """New dims anywhere, and dims of size 1 repeated."""
    shape, dims = [], []
    for size in sizes(x):
        while g.random.random() < 0.3:
            shape.append(int(g.random.integers(1, 5)))
        dims.append(len(shape))
        shape.append(int(g.random.integers(1, 6)) if size == 1 else size)
    if g.random.random() < 0.4:
        shape.append(int(g.random.integers(1, 5)))
    return g(name, x, dims=dims, shape=shape)


@makes("take")
def take(g: Any, x: SSAValue, name: str) -> SSAValue | None:
    """By known or by given numbers, some outside; or with the value itself as the numbers."""
    if element(x) == i32 and g.random.random() < 0.4:
        table = g.second([int(g.random.integers(2, 9)), int(g.random.integers(1, 5))], f32)
        return g(name, table, x, axis=int(g.random.integers(2)))
    if not sizes(x):
        return None
    shape = [int(size) for size in g.random.integers(1, 6, int(g.random.integers(0, 3)))]
    return g(name, x, g.second(shape, i32), axis=some_axis(g, x))


@makes("dot_general")
def product(g: Any, x: SSAValue, name: str) -> SSAValue:
    """Each dim of the left operand is batch, contracted or free; the right one's in any order."""
    roles = [pick(g, ("batch", "contract", "free", "free")) for _ in sizes(x)]
    extra = [int(size) for size in g.random.integers(1, 7, int(g.random.integers(0, 3)))]
    shared = [axis for axis, role in enumerate(roles) if role != "free"]
    right = [*((sizes(x)[axis], axis) for axis in shared), *((size, None) for size in extra)]
    right = [right[place] for place in g.random.permutation(len(right))]
    places = {axis: place for place, (_, axis) in enumerate(right) if axis is not None}
    batch = [axis for axis in shared if roles[axis] == "batch"]
    contract = [axis for axis in shared if roles[axis] == "contract"]
    order = [contract[place] for place in g.random.permutation(len(contract))]
    other = g.second([size for size, _ in right], element(x))
    dims = {"lhs_batch": batch, "rhs_batch": [places[axis] for axis in batch]}
    dims |= {"lhs_contract": order, "rhs_contract": [places[axis] for axis in order]}
    return g(name, x, other, **dims)


@makes("convolution")
def convolution(g: Any, x: SSAValue, name: str) -> SSAValue | None:
    """One to three spatial dims, either layout, groups, strides, dilations, uneven padding."""
    spatial, layout = len(sizes(x)) - 2, pick(g, ("nchw", "nhwc"))
    if not 1 <= spatial <= 3:
        return None
    channels = sizes(x)[1] if layout == "nchw" else sizes(x)[-1]
    groups = pick(g, [n for n in range(1, channels + 1) if channels % n == 0])
    outputs = groups * int(g.random.integers(1, 4))
    kernel = [int(size) for size in g.random.integers(1, 4, spatial)]
    depth = channels // groups
    shape = (outputs, depth, *kernel) if layout == "nchw" else (*kernel, depth, outputs)
    if g.random.random() < 0.8:
        w = g.weight(shape, element(x), scale=(depth * prod(kernel)) ** -0.5)
    else:
        w = g.second(shape, element(x))
    return g(
        name,
        x,
        w,
        strides=[int(step) for step in g.random.integers(1, 4, spatial)],
        padding=[int(edge) for edge in g.random.integers(0, 3, 2 * spatial)],
        lhs_dilation=[pick(g, (1, 1, 1, 2)) for _ in kernel],
        rhs_dilation=[pick(g, (1, 1, 2)) for _ in kernel],
        groups=groups,
        layout=layout,
    )


@makes("reduce")
def reduce(g: Any, x: SSAValue, name: str) -> SSAValue:
    return g(name, x, kind=pick(g, REDUCE_KINDS), dims=some_axes(g, x))


@makes("arg_reduce")
def arg_reduce(g: Any, x: SSAValue, name: str) -> SSAValue | None:
    return g(name, x, kind=pick(g, ARG_KINDS), axis=some_axis(g, x)) if sizes(x) else None


@makes("reduce_window")
def pool(g: Any, x: SSAValue, name: str) -> SSAValue:
    rank = len(sizes(x))
    return g(
        name,
        x,
        kind=pick(g, WINDOW_KINDS),
        window=[pick(g, (1, 1, 2, 3)) for _ in range(rank)],
        strides=[pick(g, (1, 1, 2)) for _ in range(rank)],
        padding=[pick(g, (0, 0, 1, 2)) for _ in range(2 * rank)],
        dilation=[pick(g, (1, 1, 2)) for _ in range(rank)],
    )


@makes("softmax", "log_softmax")
def soft(g: Any, x: SSAValue, name: str) -> SSAValue | None:
    return g(name, x, axis=some_axis(g, x)) if sizes(x) else None


@makes("layer_norm")
def layer_norm(g: Any, x: SSAValue, name: str) -> SSAValue | None:
    if not sizes(x):
        return None
    axis = some_axis(g, x)
    row = sizes(x)[axis:]
    return g(name, x, g.second(row, f32), g.second(row, f32), axis=axis, epsilon=1e-2)


@makes("batch_norm_inference")
def batch_norm(g: Any, x: SSAValue, name: str) -> SSAValue | None:
    if not sizes(x):
        return None
    feature = some_axis(g, x)
    count = (sizes(x)[feature],)
    scale, offset, mean, spread = (g.second(count, f32) for _ in range(4))
    variance = g("add", g("abs", spread), g.weight_of(0.5, spread))
    return g(name, x, scale, offset, mean, variance, epsilon=1e-5, feature=feature)
