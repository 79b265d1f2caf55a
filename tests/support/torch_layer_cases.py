"""Cases of `torch_cases` that are layers: products, pools, norms, planes, recurrent cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from torch_cases import CASES, IMAGE, LINE, ROW, VOLUME, A, X, case, seeded

__all__ = ["CASES"]


def contractions() -> None:
    m, n = seeded(3, 4), seeded(4, 5)
    case("mm", torch.mm, m, n)
    case("bmm", torch.bmm, X, seeded(2, 4, 5))
    case("matmul", torch.matmul, X, n)
    case("matmul", torch.matmul, seeded(2, 1, 3, 4), seeded(5, 4, 2))
    case("mv", torch.mv, m, ROW)
    case("dot", torch.dot, ROW, ROW + 1)
    case("linear", F.linear, X, seeded(5, 4), seeded(5))
    case("linear", F.linear, X, ROW)
    case("addmm", lambda c, a, b: torch.addmm(c, a, b, beta=0.5, alpha=2), seeded(5), m, n)
    case("baddbmm", torch.baddbmm, seeded(2, 1, 5), X, seeded(2, 4, 5))
    case("addmv", torch.addmv, seeded(3), m, ROW)
    for rank, x in ((1, LINE), (2, IMAGE), (3, VOLUME)):
        inside = x.shape[1]
        weight, bias = seeded(6, inside // 2, *[3, 2, 2][:rank]), seeded(6)
        conv, back = getattr(F, f"conv{rank}d"), getattr(F, f"conv_transpose{rank}d")
        name = f"conv{rank}d"
        case(name, lambda x, w, b, f=conv: f(x, w, b, 2, 1, 1, 2), x, weight, bias)
        case(name, lambda x, w, f=conv: f(x, w, padding="same"), x, seeded(5, inside, *[3] * rank))
        case(name, lambda x, w, f=conv: f(x[0], w, dilation=2), x, seeded(5, inside, *[2] * rank))
        turned = seeded(inside, 3, *[3, 2, 2][:rank])
        name = f"conv_transpose{rank}d"
        case(name, lambda x, w, f=back: f(x, w, None, 2, 1, 1, 2), x, turned)
        case(name, lambda x, w, b, f=back: f(x, w, b), x, turned, seeded(3))
    plain = (None, [1, 2], [0, 1], [1, 1], False, [0, 0], 1)
    case("convolution", lambda x, w: A.convolution(x, w, *plain), IMAGE, seeded(3, 4, 3, 3))
    turned = (None, [1, 2], [0, 1], [1, 1], True, [0, 1], 1)
    case("convolution", lambda x, w: A.convolution(x, w, *turned), IMAGE, seeded(4, 3, 3, 3))
    attend = F.scaled_dot_product_attention
    name = "scaled_dot_product_attention"
    q, k, v = seeded(2, 4, 5, 8), seeded(2, 4, 6, 8, seed=1), seeded(2, 4, 6, 3, seed=2)
    case(name, attend, q, k, v)
    case(
        name,
        lambda q, k, v: attend(q, k, v, is_causal=True, scale=0.5),
        q,
        k[:, :, :5],
        v[:, :, :5],
    )
    case(name, lambda q, k, v, m: attend(q, k, v, m), q, k, v, seeded(5, 6))
    case(name, lambda q, k, v, m: attend(q, k, v, m), q, k, v, seeded(2, 1, 5, 6) > -1)
    few = (k[:, :2], v[:, :2])
    case(name, lambda q, k, v: attend(q, k, v, enable_gqa=True), q, *few)
    case(name, lambda q, k, v, m: attend(q, k, v, m, enable_gqa=True), q, *few, seeded(2, 4, 5, 6))
    case(name, lambda q, k, v, m: attend(q, k, v, m, enable_gqa=True), q, *few, seeded(2, 1, 5, 6))


def spread_window(function: Any, rank: int) -> Callable[..., Any]:
    return lambda x: function(x, [2], [], [0], [2] * rank)


def to_two(function: Any, rank: int) -> Callable[..., Any]:
    return lambda x: function(x, [2] * rank)


def pools() -> None:
    for rank, x in ((1, LINE), (2, IMAGE), (3, VOLUME)):
        largest, mean = getattr(F, f"max_pool{rank}d"), getattr(F, f"avg_pool{rank}d")
        case(f"max_pool{rank}d", lambda x, f=largest: f(x, 3, 2, 1), x)
        case(f"max_pool{rank}d", lambda x, f=largest: f(x[0], 2, 2, ceil_mode=True), x)
        name = f"max_pool{rank}d_with_indices"
        if rank > 1:
            case(name, lambda x, f=largest: f(x, 3, 2, 1, return_indices=True), x)
            case(name, spread_window(getattr(A, name), rank), x)
        else:
            case(name, lambda x: A.max_pool1d_with_indices(x, [3], [2], [1]), x)
        case(f"avg_pool{rank}d", lambda x, f=mean: f(x, 3, 2, 1), x)
        args = {"ceil_mode": True, "count_include_pad": False}
        case(f"avg_pool{rank}d", lambda x, f=mean, a=args: f(x, 3, 2, 1, **a), x)
        adaptive = getattr(F, f"adaptive_avg_pool{rank}d")
        name = f"adaptive_avg_pool{rank}d"
        for size in (1, 3):
            case(name, lambda x, f=adaptive, n=size: f(x, n), x)
        if rank > 1:
            case(f"_{name}", to_two(getattr(A, f"_{name}"), rank), x)
    case("adaptive_max_pool1d", lambda x: A.adaptive_max_pool1d(x, [11])[0], LINE)
    case("adaptive_max_pool2d", lambda x: A.adaptive_max_pool2d(x, [3, 7]), IMAGE)
    case("adaptive_max_pool3d", lambda x: A.adaptive_max_pool3d(x, [5, 2, 2]), VOLUME)
    case("avg_pool2d", lambda x: A.avg_pool2d(x, [2, 2], [], [0], False, True, 3), IMAGE)


def norms() -> None:
    w, b = seeded(4) + 2, seeded(4)
    case("layer_norm", lambda x, w, b: F.layer_norm(x, (4,), w, b), X, w, b)
    case("layer_norm", lambda x: F.layer_norm(x, (3, 4)), X)
    case("native_layer_norm", lambda x, w, b: A.native_layer_norm(x, [4], w, b, 1e-5), X, w, b)
    case("rms_norm", lambda x, w: F.rms_norm(x, (4,), w), X, w)
    case("_fused_rms_norm", lambda x, w: A._fused_rms_norm(x, [4], w, 1e-5)[0], X, w)
    case("group_norm", lambda x, w, b: F.group_norm(x, 2, w, b), IMAGE, w, b)
    case("native_group_norm", lambda x, w, b: A.native_group_norm(x, w, b, 2, 4, 63, 2, 1e-5),
         IMAGE, w, b)  # fmt: skip
    case("instance_norm", lambda x, w, b: F.instance_norm(x, None, None, w, b), IMAGE, w, b)
    mean, var = seeded(4), w.abs()
    name = "_native_batch_norm_legit_no_training"
    rest = (IMAGE, w, b, mean, var)
    case(
        name,
        lambda x, w, b, m, v: A._native_batch_norm_legit_no_training(x, w, b, m, v, 0.1, 1e-5)[0],
        *rest,
    )
    case("_batch_norm_no_update", lambda x, w, b, m, v: A._batch_norm_no_update(
        x, w, b, m, v, 0.1, 1e-5)[0], *rest)  # fmt: skip


def planes() -> None:
    for rank, x in ((1, LINE), (2, IMAGE), (3, VOLUME)):
        for mode in ("nearest", "nearest-exact"):
            name = (
                f"upsample_nearest{rank}d"
                if mode == "nearest"
                else f"_upsample_nearest_exact{rank}d"
            )
            case(name, lambda x, m=mode: F.interpolate(x, scale_factor=1.7, mode=m), x)
            size = [7, 12, 5][:rank]
            case(name, lambda x, m=mode, s=size: F.interpolate(x, size=s, mode=m), x)
    modes = (("linear", LINE), ("bilinear", IMAGE), ("trilinear", VOLUME), ("bicubic", IMAGE))
    for mode, x in modes:
        name = f"upsample_{mode}{x.dim() - 2}d"
        for aligned in (False, True):
            case(name, lambda x, m=mode, a=aligned: F.interpolate(
                x, scale_factor=2.5, mode=m, align_corners=a), x)  # fmt: skip
        size = [13, 5, 9][: x.dim() - 2]
        case(name, lambda x, m=mode, s=size: F.interpolate(x, size=s, mode=m), x)
        if mode in ("bilinear", "bicubic"):
            case(f"_{name}_aa", lambda x, m=mode: F.interpolate(
                x, size=(4, 3), mode=m, antialias=True), x)  # fmt: skip
    grid, deep = seeded(2, 3, 5, 2) * 0.8, seeded(1, 2, 3, 2, 3) * 0.8
    for mode in ("bilinear", "nearest", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            case("grid_sampler", lambda x, g, m=mode, p=padding: F.grid_sample(
                x, g, m, p, align_corners=p == "border"), IMAGE, grid)  # fmt: skip
    case("grid_sampler_2d", lambda x, g: A.grid_sampler_2d(x, g, 0, 0, False), IMAGE, grid)
    case("grid_sampler_3d", lambda x, g: A.grid_sampler_3d(x, g, 0, 1, True), VOLUME, deep)


def recurrent() -> None:
    for name, gates in (("lstm", 4), ("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1)):
        for directions, layers in ((1, 1), (2, 2)):
            weights = []
            for layer in range(layers):
                for _ in range(directions):
                    inside = 3 if layer == 0 else 5 * directions
                    weights += [seeded(gates * 5, inside), seeded(gates * 5, 5, seed=3)]
                    weights += [seeded(gates * 5), seeded(gates * 5, seed=4)]
            state = seeded(layers * directions, 2, 5)
            case(name, packed(name, layers, directions), seeded(4, 2, 3), state, *weights)


def packed(name: str, layers: int, directions: int) -> Callable[..., Any]:
    f = getattr(A, name).input

    def run(x: Any, state: Any, *weights: Any) -> Any:
        states = [state, state * 0.5] if name == "lstm" else state
        return f(x, states, list(weights), True, layers, 0.0, False, directions == 2, False)

    return run


for fill in (contractions, pools, norms, planes, recurrent):
    fill()
