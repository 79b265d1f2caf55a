"""Scaled dot-product attention, masked, causal and with fewer heads of keys than of queries."""

from __future__ import annotations

import math

import numpy as np
from xdsl.dialects.builtin import i1
from xdsl.ir import SSAValue

from dojocc.frontends.build import Builder, NotSupported, common_shape, element_of, shape_of


def attention(
    b: Builder,
    query: SSAValue,
    key: SSAValue,
    value: SSAValue,
    mask: SSAValue | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> SSAValue:
    """softmax(scale query key' + mask) value over [..., heads, rows, width].

    A mask of truth values says where to look, one of numbers is added. Keys and values with fewer
    heads serve as many query heads each as come out: those become rows of one product, so that no
    key is repeated.
    """
    shape, rows = shape_of(query), shape_of(query)[-2]
    columns = shape_of(key)[-2]
    scale = 1 / math.sqrt(shape[-1]) if scale is None else scale
    groups = shared_heads(shape, shape_of(key))
    bias = bias_of(b, mask, causal, rows, columns)
    if groups > 1:
        heads = shape_of(key)[-3]
        query = b.reshape(query, (*shape[:-3], heads, groups * rows, shape[-1]))
    batch = common_shape(shape_of(query)[:-2], shape_of(key)[:-2])
    query, key, value = (b.broadcast(x, (*batch, *shape_of(x)[-2:])) for x in (query, key, value))
    count = len(batch)
    dims = tuple(range(count))
    scores = b.dot_general(query, key, ([count + 1], [count + 1]), (dims, dims))
    scores = b.scaled(scores, scale)
    if bias is not None:
        scores = biased(b, scores, bias, groups, rows, columns)
    weights = b.emit("softmax", scores, axis=count + 1)
    result = b.dot_general(weights, value, ([count + 1], [count]), (dims, dims))
    return b.reshape(result, (*shape[:-1], shape_of(value)[-1])) if groups > 1 else result


def shared_heads(query: tuple[int, ...], key: tuple[int, ...]) -> int:
    """How many query heads read each head of keys."""
    if len(query) < 4 or len(key) < 4 or query[-3] == key[-3] or key[-3] == 1:
        return 1
    if query[-3] % key[-3]:
        raise NotSupported(f"{query[-3]} query heads do not divide over {key[-3]} heads of keys")
    return query[-3] // key[-3]


def bias_of(
    b: Builder, mask: SSAValue | None, causal: bool, rows: int, columns: int
) -> SSAValue | None:
    """What is added to the scores; -inf where not to look."""
    bias = None
    if mask is not None:
        bias = mask
        if element_of(mask) == i1:
            far = b.full(-math.inf, shape_of(mask))
            bias = b.select(mask, b.like(far, 0), far)
    if not causal:
        return bias
    earlier = np.where(np.tri(rows, columns, dtype=np.bool_), 0, -np.inf).astype(np.float32)
    triangle = b.constant(earlier, "causal")
    return triangle if bias is None else b.binary("add", bias, triangle)


def biased(
    b: Builder, scores: SSAValue, bias: SSAValue, groups: int, rows: int, columns: int
) -> SSAValue:
    """scores + bias, where `groups` heads of rows stand one behind the other."""
    if groups == 1:
        return b.binary("add", scores, bias)
    shape = shape_of(scores)
    split = b.reshape(scores, (*shape[:-2], groups, rows, columns))
    own = shape_of(bias)
    if len(own) >= 3 and own[-3] != 1:  # one bias a query head
        bias = b.reshape(bias, (*own[:-3], shape[-3], groups, *own[-2:]))
    elif len(own) >= 3:
        bias = b.reshape(bias, (*own[:-3], 1, 1, *own[-2:]))
    return b.reshape(b.binary("add", split, bias), shape)
