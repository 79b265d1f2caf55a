"""One case or more for every ATen op that is imported, as functions of example inputs.

Needs PyTorch. `CASES`: op without `aten.` -> rows of (function, inputs). A function that PyTorch
turns into another op on the way calls `torch.ops.aten` itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]

A: Any = torch.ops.aten
Row = tuple[Callable[..., Any], tuple[Any, ...]]
CASES: dict[str, list[Row]] = {}


def seeded(*shape: int, seed: int = 0) -> Any:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def ints(*numbers: int) -> Any:
    return torch.tensor(numbers)


X, Y = seeded(2, 3, 4), seeded(2, 3, 4, seed=1)
ROW = seeded(4, seed=2)
P = X.abs() + 0.1
U = X.tanh() * 0.9
W = torch.tensor([[5, -7, 3], [2, 0, -4]])
V = torch.tensor([[2, 3, -2], [5, -3, 3]])
T = X > 0
IMAGE, VOLUME, LINE = seeded(2, 4, 9, 7), seeded(1, 2, 5, 6, 4), seeded(2, 4, 11)


def case(name: str, function: Callable[..., Any], *inputs: Any) -> None:
    CASES.setdefault(name, []).append((function, inputs))


def simple() -> None:
    """Functions of one or two tensors."""
    for name in "exp sin cos tanh sigmoid erf expm1 sinh cosh tan atan asinh exp2 erfc".split():
        case(name, getattr(torch, name), X)
    for name in "log sqrt rsqrt log1p log2 log10 reciprocal".split():
        case(name, getattr(torch, name), P)
    for name in "asin acos atanh".split():
        case(name, getattr(torch, name), U)
    case("acosh", torch.acosh, P + 1)
    for name in "abs neg sign sgn floor ceil trunc square frac".split():
        case(name, getattr(A, name) if name == "sgn" else getattr(torch, name), X * 3)
    case("abs", torch.abs, W)
    case("exp", torch.exp, W)
    case("round", torch.round, X * 4)
    case("round", lambda x: torch.round(x, decimals=1), X)
    for name in "add sub mul div maximum minimum fmax fmin remainder fmod atan2 hypot".split():
        case(name, getattr(torch, name), X, Y)
        if name not in ("fmax", "fmin", "hypot"):
            case(name, getattr(torch, name), X, ROW)
    for name in "add sub mul div maximum remainder fmod".split():
        case(name, getattr(torch, name), W, V)
    case("add", lambda x, y: torch.add(x, y, alpha=2.5), X, Y)
    case("add", lambda x: x + 2, X)
    case("add", lambda x, y: x + y, X, W[0, 0])
    case("add", lambda x, y: x + y, W.to(torch.int8) * 30, V.to(torch.int8) * 25)
    case("sub", lambda x: x - 0.5, W)
    case("rsub", lambda x: torch.rsub(x, 2.0, alpha=3), X)
    case("true_divide", lambda x, y: A.true_divide(x, y), X, Y)
    case("floor_divide", lambda x, y: A.floor_divide(x, y), W, V)
    case("floor_divide", lambda x: x // 0.7, X)
    case("div", lambda x, y: torch.div(x, y, rounding_mode="trunc"), X * 9, Y)
    case("div", lambda x, y: torch.div(x, y, rounding_mode="floor"), W, V)
    case("pow", lambda x: x**2, X)
    case("pow", lambda x: x**3, X)
    case("pow", lambda x, y: x**y, P, X)
    case("pow", lambda x: 2.0**x, X)
    case("pow", lambda x: x**3, W)
    case("pow", lambda x: x**-1.0, P)
    case("addcmul", lambda a, b, c: torch.addcmul(a, b, c, value=0.5), X, Y, ROW)
    case("addcdiv", lambda a, b, c: torch.addcdiv(a, b, c, value=0.5), X, Y, P)
    case("lerp", lambda a, b: torch.lerp(a, b, 0.3), X, Y)
    case("lerp", torch.lerp, X, Y, U)


def logic() -> None:
    for name in "and or xor".split():
        case(f"logical_{name}", getattr(torch, f"logical_{name}"), T, W[0, :1] > 9)
        case(f"bitwise_{name}", getattr(torch, f"bitwise_{name}"), W, V)
    case("logical_not", torch.logical_not, X.round())
    case("bitwise_not", torch.bitwise_not, W)
    case("bitwise_not", torch.bitwise_not, T)
    for name in "eq ne lt le gt ge".split():
        case(name, getattr(torch, name), X.round(), Y.round())
        case(name, lambda x, name=name: getattr(torch, name)(x, 0.5), X)
        case(name, getattr(torch, name), T, Y > 0)
    for name in "isnan isinf isfinite".split():
        case(name, getattr(A, name), torch.tensor([1.0, float("inf"), float("nan"), -2.0]))
        case(name, getattr(A, name), W)
    case("where", torch.where, T, X, Y)
    case("where", lambda c, x: torch.where(c, x, 0.0), T, ROW)
    case("where", torch.where, T, Y > 0, X < 1)
    case("masked_fill", lambda x, m: x.masked_fill(m, -5.0), X, T)
    case("clamp", lambda x: x.clamp(-0.5, 0.7), X)
    case("clamp", lambda x: x.clamp(max=0.7), X)
    case("clamp", torch.clamp, X, -P, P)
    case("clamp_min", lambda x: A.clamp_min(x, 0.1), X)
    case("clamp_max", lambda x: A.clamp_max(x, 0.1), X)
    case("hardtanh", lambda x: F.hardtanh(x, -0.3, 0.6), X)
    case("relu6", lambda x: A.relu6(x * 5), X)
    for dtype in (torch.int64, torch.uint8, torch.bool, torch.float16, torch.bfloat16):
        case("_to_copy", lambda x, dtype=dtype: x.to(dtype), P * 100)
    case("_to_copy", lambda x: x.to(torch.int8), W * 60)
    case("_to_copy", lambda x: x.float(), W)


def activations() -> None:
    for name in "relu silu mish hardsigmoid hardswish selu celu elu gelu leaky_relu".split():
        case(name, getattr(F, name), X * 3)
    case("gelu", lambda x: F.gelu(x, approximate="tanh"), X)
    case("elu", lambda x: A.elu(x, 1.2, 1.5, 0.7), X)
    case("celu", lambda x: F.celu(x, 0.5), X)
    case("softplus", lambda x: F.softplus(x, 2.0, 3.0), X * 3)
    case("log_sigmoid", lambda x: A.log_sigmoid(x), X)
    case("prelu", A.prelu, X, torch.tensor([0.1, 0.2, 0.3]))
    case("prelu", A.prelu, X, torch.tensor([0.1]))
    case("_prelu_kernel", A._prelu_kernel, X, torch.tensor([0.1]))
    case("threshold", lambda x: F.threshold(x, 0.2, -1.0), X)
    case("glu", lambda x: F.glu(x, -1), X)
    for name in "softmax log_softmax".split():
        case(name, lambda x, name=name: getattr(F, name)(x, 1), X)
        case(f"_{name}", lambda x, name=name: getattr(A, f"_{name}")(x, -1, False), X)
    case("native_dropout", lambda x: A.native_dropout(x, 0.5, False)[0], X)


def movement() -> None:
    case("view", lambda x: x.view(6, 4), X)
    case("_unsafe_view", lambda x: A._unsafe_view(x, [4, 6]), X)
    case("unsqueeze", lambda x: x.unsqueeze(-1), X)
    case("squeeze", lambda x: x.squeeze(1), seeded(2, 1, 4))
    case("squeeze", lambda x: x.squeeze(), seeded(1, 3, 1))
    for name in "alias detach clone".split():
        case(name, lambda x, name=name: getattr(A, name)(x) + 0, X)
    case("permute", lambda x: x.permute(2, 0, -2), X)
    case("transpose", lambda x: A.transpose(x, 0, -1), X)
    case("t", lambda x: A.t(x), X[0])
    case("expand", lambda x: x.expand(3, -1, 4), seeded(2, 1))
    case("repeat", lambda x: x.repeat(2, 1, 3, 1), X)
    case("tile", lambda x: A.tile(x, [2, 3]), X)
    case("repeat_interleave", lambda x: A.repeat_interleave(x, 2, 1), X)
    case("repeat_interleave", lambda x: A.repeat_interleave(x, 3), X)
    case("slice", lambda x: x[:, 1:, ::2], X)
    case("slice", lambda x: x[-2:, :-1], X)
    case("select", lambda x: x[:, -1], X)
    case("split", lambda x: A.split(x, 3, 2), X)
    case("split_with_sizes", lambda x: A.split_with_sizes(x, [1, 3], 2), X)
    case("unbind", lambda x: A.unbind(x, 1), X)
    case("cat", lambda x, y: torch.cat([x, y[:, :1], x], 1), X, Y)
    case("cat", lambda x: torch.cat([x, x[:0], x]), X)
    case("concatenate", lambda x, y: A.concatenate([x, y], -1), X, Y)
    case("stack", lambda x, y: torch.stack([x, y], -1), X, Y)
    case("flip", lambda x: x.flip(0, -1), X)
    case("roll", lambda x: A.roll(x, [1, -2], [0, 2]), X)
    case("roll", lambda x: A.roll(x, [5]), X)
    case("constant_pad_nd", lambda x: F.pad(x, (1, 2, 0, 1), value=3.0), X)
    case("constant_pad_nd", lambda x: F.pad(x, (-1, 2)), X)
    for rank, x in ((1, LINE), (2, IMAGE), (3, VOLUME)):
        pads = [1, 2, 2, 1, 1, 0][: 2 * rank]
        for mode in ("reflection", "replication"):
            name = f"{mode}_pad{rank}d"
            case(name, lambda x, name=name, pads=pads: getattr(A, name)(x, pads), x)
    case("diagonal", lambda x: A.diagonal(x, 1, 1, 2), X)
    case("tril", lambda x: torch.tril(x, 1), X)
    case("triu", torch.triu, X)
    case("slice_scatter", lambda x, y: torch.slice_scatter(x, y, 1, 1, 3), X, Y[:, :2])
    case("slice_scatter", lambda x, y: torch.slice_scatter(x, y, 2, 0, 4, 2), X, Y[:, :, :2])
    case("select_scatter", lambda x, y: torch.select_scatter(x, y, 1, -1), X, Y[:, 0])
    case("copy", lambda x, y: A.copy(x, y), X, ROW)
    case("as_strided", lambda x: A.as_strided(x, [3, 4], [5, 2], 1), X)
    case("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), IMAGE)
    case("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 3), IMAGE[:, :, :, :6])
    case("channel_shuffle", lambda x: F.channel_shuffle(x, 2), IMAGE)
    case("native_channel_shuffle", lambda x: A.native_channel_shuffle(x, 2), IMAGE)


def creation() -> None:
    for name in "zeros ones".split():
        case(name, lambda x, name=name: x + getattr(torch, name)(2, 1, 4), X)
        case(f"{name}_like", lambda x, name=name: x + getattr(A, f"{name}_like")(x), X)
        case(f"new_{name}", lambda x, name=name: x + getattr(A, f"new_{name}")(x, [4]), X)
    case("empty", lambda x: A.empty([2, 4]).fill_(2.0) + x[:, 0], X)
    case("empty_like", lambda x: A.empty_like(x) * 0 + x, X)
    case("new_empty", lambda x: A.new_empty(x, [4]) * 0 + x, X)
    case("empty_permuted", lambda x: A.empty_permuted([2, 4], [1, 0]) * 0 + x[:, 0], X)
    case("full", lambda x: x + torch.full((4,), 2.5), X)
    case("full_like", lambda x: torch.full_like(x, 3), W)
    case("new_full", lambda x: A.new_full(x, [3], 7), W)
    case("fill", lambda x: A.fill(x, 2.0), X)
    case("fill", A.fill, X, torch.tensor(1.5))
    case("scalar_tensor", lambda x: x + A.scalar_tensor(2.0), X)
    case("arange", lambda x: x + torch.arange(4), X)
    case("arange", lambda x: x + torch.arange(1.0, 3.0, 0.5), X)
    case("linspace", lambda x: x + A.linspace(0.0, 2.0, 4), X)
    case("eye", lambda x: x[:, :, :3] + A.eye(3), X)
    case("tril_indices", lambda x: x[0, 0, 0] + A.tril_indices(3, 3, 0), X)
    case("triu_indices", lambda x: x[0, 0, 0] + A.triu_indices(3, 4, 1), X)


def reductions() -> None:
    for name in "sum mean amax amin".split():
        case(name, lambda x, name=name: getattr(torch, name)(x, (0, 2)), X)
        case(name, lambda x, name=name: getattr(torch, name)(x, -1, keepdim=True), X)
    case("sum", lambda x: x.sum(), W)
    case("sum", lambda x: x.sum(1), T)
    case("prod", lambda x: x.prod(1), X)
    case("prod", lambda x: x.prod(), W)
    for name in "any all".split():
        case(name, lambda x, name=name: getattr(torch, name)(x, 1), T)
        case(name, getattr(torch, name), X.round())
    for name in "max min".split():
        case(name, getattr(torch, name), X)
        case(name, lambda x, name=name: tuple(getattr(torch, name)(x, 1)), X)
        case(name, lambda x, name=name: tuple(getattr(torch, name)(x, -1, True)), W)
        case(name, lambda x, y, name=name: getattr(A, name)(x, y), X, Y)
    for name in "argmax argmin".split():
        case(name, lambda x, name=name: getattr(torch, name)(x, 1), X)
        case(name, lambda x, name=name: getattr(torch, name)(x, -1, keepdim=True), X)
        case(name, getattr(torch, name), X)
    case("cumsum", lambda x: x.cumsum(1), X)
    case("cumsum", lambda x: x.cumsum(0), W)
    case("cumprod", lambda x: x.cumprod(-1), X)
    for name in "var std".split():
        case(name, lambda x, name=name: getattr(torch, name)(x, 1), X)
        case(name, lambda x, name=name: getattr(torch, name)(x, (0, 2), correction=0), X)
        case(name, lambda x, name=name: getattr(A, name)(x, False), X)
        case(f"{name}_mean", lambda x, name=name: getattr(torch, f"{name}_mean")(x, 1), X)
    for order in (2, 1, 0, 3, float("inf")):
        case("linalg_vector_norm", lambda x, n=order: torch.linalg.vector_norm(x, n, 1), X.round())
    case("norm", lambda x: A.norm(x, 2, [1], True), X)
    case("logsumexp", lambda x: torch.logsumexp(x, 1), X * 30)
    case("count_nonzero", lambda x: A.count_nonzero(x, [1]), X.round())


def indexing() -> None:
    i, j = ints(1, 0, 1, -1), ints(2, -1, 0, 1)
    places = torch.tensor([[[0, 2, 1], [1, 1, 0]], [[2, 0, 0], [1, 2, 2]]])
    case("embedding", F.embedding, ints(2, 0, 5), seeded(6, 4))
    case("index", lambda x, i: x[i], X, i)
    case("index", lambda x, i, j: x[i, :, j], X, i, j)
    case("index", lambda x, i, j: x[:, i, j], X, i, j)
    case("index", lambda x, i: x[:, ints(2, 0), i[:2, None]], X, i)
    case("_unsafe_index", lambda x, i: A._unsafe_index(x, [None, i]), X, i.abs())
    case("index_select", lambda x, i: torch.index_select(x, 2, i), X, ints(3, 0, 3))
    case("gather", lambda x, i: torch.gather(x, 1, i), X, places)
    case("index_put", lambda x, i, v: A.index_put(x, [i, ints(0, 1, 2, 2)], v), X, i, seeded(4, 4))
    case("index_put", lambda x, i, v: A.index_put(x, [None, i], v, True), X, i, seeded(2, 4, 4))
    case("index_put", lambda x, m: A.index_put(x, [m], torch.tensor(9.0)), X, T)
    case("index_put", whole_rows, X, ints(2, 0), ints(1, 3))
    case("_unsafe_index_put", lambda x, i: A._unsafe_index_put(x, [i], torch.ones(1)), X, ints(1))
    case("index_copy", lambda x, i, y: torch.index_copy(x, 1, i, y), X, ints(2, 0), Y[:, :2])
    case("index_add", lambda x, i, y: torch.index_add(x, 1, i, y, alpha=2), X, ints(2, 2), Y[:, :2])
    case("index_fill", lambda x, i: A.index_fill(x, 2, i, 7.0), X, ints(0, 3))
    case("scatter", lambda x, i, y: torch.scatter(x, 2, i, y), X, places[:, :, :2], Y)
    case("scatter", lambda x, i: torch.scatter(x, 1, i, 5.0), X, places)
    case("scatter", lambda x, i, y: A.scatter(x, 1, i, y, reduce="add"), X, places, Y)
    case("scatter_add", lambda x, i, y: torch.scatter_add(x, 1, i, y), X, places, Y)
    for word in ("sum", "prod", "amax", "amin"):
        case("scatter_reduce", lambda x, i, y, w=word: torch.scatter_reduce(x, 1, i, y, w),
             X, places, Y)  # fmt: skip
    case("topk", lambda x: tuple(torch.topk(x, 2, 1)), X)
    case("topk", lambda x: tuple(torch.topk(x, 3, -1, largest=False)), X)
    case("sort", lambda x: tuple(torch.sort(x, 1, descending=True)), X)
    case("sort", lambda x: tuple(torch.sort(x)), X)
    case("argsort", lambda x: A.argsort(x, 1), X)
    case("one_hot", lambda i: F.one_hot(i, 4), ints(3, 0, 2))


def whole_rows(x: Any, i: Any, j: Any) -> Any:
    """A known index counts through the first dim, as in a write to a window of a map."""
    values = torch.arange(8.0).reshape(2, 2, 2)
    return A.index_put(x, [torch.arange(2)[:, None, None], i[None, :, None], j], values)


for fill in (simple, logic, activations, movement, creation, reductions, indexing):
    fill()
