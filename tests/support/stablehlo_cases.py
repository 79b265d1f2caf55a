"""Functions of JAX whose StableHLO text stands in tests/data/stablehlo, with JAX's own results.

    python tests/support/stablehlo_cases.py      writes the files again; needs JAX

Without JAX the tests read the files alone. Each case has a text in the pretty form, as
`lower().as_text()` prints it, and one in the generic form.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax  # pyright: ignore[reportMissingImports]
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import numpy as np
from jax import lax  # pyright: ignore[reportMissingImports]
from safetensors.numpy import save_file

FOLDER = Path(__file__).parents[1] / "data" / "stablehlo"
Row = tuple[Callable[..., Any], tuple[np.ndarray, ...]]
CASES: dict[str, Row] = {}
RANDOM = np.random.default_rng(0)


def r(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def i(*numbers: Any) -> np.ndarray:
    return np.array(numbers, np.int32)


def case(name: str, function: Callable[..., Any], *inputs: np.ndarray) -> None:
    assert name not in CASES
    CASES[name] = (function, inputs)


X = r(4, 8)
FEW = i(1, 9, 3)


def arithmetic() -> None:
    case("unary", lambda x: (
        -x, jnp.sign(x), jnp.exp(x), jnp.log(jnp.abs(x)), jnp.sqrt(jnp.abs(x)),
        lax.rsqrt(jnp.abs(x)), jnp.sin(x), jnp.cos(x), jnp.tanh(x), lax.logistic(x),
        jnp.floor(x * 3), jnp.ceil(x * 3), jnp.round(x * 3), lax.round(x * 3), jnp.isfinite(x),
        jnp.expm1(x), jnp.log1p(jnp.abs(x)), jnp.abs(x), lax.erf(x), jnp.cbrt(x), jnp.tan(x),
    ), X)  # fmt: skip
    case("chlo", lambda x: (
        jnp.sinh(x), jnp.cosh(x), jnp.arctan(x), jnp.arcsinh(x), jnp.arcsin(jnp.tanh(x)),
        jnp.arccos(jnp.tanh(x)), jnp.arctanh(jnp.tanh(x) * 0.9), jnp.arccosh(jnp.abs(x) + 1),
        jax.scipy.special.erfc(x), lax.square(x), lax.top_k(x, 3),
    ), X)  # fmt: skip
    case("binary", lambda x, y: (
        x + y, x - y, x * y, x / y, jnp.maximum(x, y), jnp.minimum(x, y), x % y, lax.rem(x, y),
        jnp.abs(x) ** y, jnp.arctan2(x, y), x > y, x == y, (x > 0) & (y > 0), (x > 0) | (y > 0),
        (x > 0) ^ (y > 0), ~(x > 0), jnp.clip(x, -0.5, 0.5), lax.clamp(y, x, y + 1),
        jnp.where(x > 0, x, y), jnp.where(x > 0, x > 1, y > 1),
    ), X, r(4, 8))  # fmt: skip
    case("integers", lambda x: (
        x // 2, x % 3, x * x, x**2, -x, x > 3, x & 1, x | 8, x ^ 5, ~x, jnp.sign(x), jnp.abs(x),
    ), i(5, -3, 7, 0))  # fmt: skip
    case("types", lambda x, n: (
        x.astype(jnp.bfloat16), x.astype(jnp.float16), (x * 9).astype(jnp.int32),
        n.astype(jnp.float32), n.astype(bool), (n * 60).astype(jnp.int8),
        lax.bitcast_convert_type(x, jnp.int32), lax.reduce_precision(x, 8, 7),
        lax.optimization_barrier(x) + 1,
    ), X, i(2, 0, -3))  # fmt: skip


def movement() -> None:
    case("moves", lambda x: (
        x[1:3, ::2], jnp.pad(x, 1), lax.pad(x, np.float32(2), [(1, 2, 1), (-1, 0, 0)]),
        lax.dynamic_slice(x, (1, 2), (2, 2)), jnp.concatenate([x, x], 1), jnp.flip(x, 0),
        jnp.roll(x, 1, 0), x.T, x.reshape(2, 16), jnp.broadcast_to(x[:, None], (4, 3, 8)),
        jnp.tril(x), jnp.eye(4) + jnp.arange(4), jax.nn.one_hot(x[0].astype(int), 5),
    ), X)  # fmt: skip
    case("slice_at", lambda x, n: lax.dynamic_slice(x, (n, 1), (2, 3)), X, np.int32(9))
    case("update_at", lambda x, n: lax.dynamic_update_slice(x, x[:1], (n, 0)), X, np.int32(2))
    case("update_two", lambda x, n: lax.dynamic_update_slice(x, x[:1, :2], (n, 3)), X, np.int32(1))
    case("update_known", lambda x: lax.dynamic_update_slice(x, x[:2] * 2, (1, 0)), X)
    case("rows", lambda t, n: t[n], r(10, 4), FEW)
    case("two_indices", lambda t, n, m: t[n, :, m], r(10, 4, 5), FEW, i(0, 4, -1))
    case(
        "along_axis",
        lambda t, n: jnp.take_along_axis(t, n, 1),
        r(4, 10),
        i([1, 2], [0, 9], [3, 3], [5, 0]),
    )
    case(
        "batched_rows",
        lambda t, n: jax.vmap(lambda a, b: a[b])(t, n),
        r(3, 10, 4),
        i([0, 1], [2, 3], [4, 9]),
    )
    case("add_rows", lambda t, n, u: t.at[n].add(u), r(10, 4), i(1, 9, 1), r(3, 4))
    case("set_columns", lambda t, n, u: t.at[:, n].set(u), r(4, 10), FEW, r(4, 3))
    case("set_slice", lambda t, u: t.at[1:3, ::2].set(u), r(4, 10), r(2, 5))
    case("max_points", lambda t, n, m, u: t.at[n, m].max(u), r(4, 10), i(0, 1, 0), i(0, 1, 0), r(3))
    case("batched_set", lambda t, n, u: jax.vmap(lambda a, b, c: a.at[b].set(c))(t, n, u),
         r(3, 10), i([0, 1], [2, 3], [4, 5]), r(3, 2))  # fmt: skip
    case("dropped", lambda t, n, u: t.at[n].multiply(u, mode="drop"), r(4, 2), i(1, 7, 3), r(3, 2))


def reductions() -> None:
    case("reductions", lambda x: (
        x.sum(), x.mean(0), x.max(1), x.min(), x.prod(1), (x > 0).any(1), (x > -9).all(),
        jnp.var(x, 1), jax.nn.logsumexp(x, 1), jnp.argmax(x, -1), jnp.argmin(x, 0),
        lax.reduce(x, np.float32(2), lax.add, (0,)),
    ), X)  # fmt: skip
    case("orders", lambda x: (
        jnp.sort(x, -1), jnp.argsort(x, 0), jnp.cumsum(x, 0), jnp.cumprod(x, 1),
        lax.cummax(x, 1), lax.cumsum(x, 1, reverse=True), jnp.sort(x, 0, descending=True),
    ), X)  # fmt: skip
    window = (1, 3, 3, 1), (1, 2, 2, 1)
    case("windows", lambda x: (
        lax.reduce_window(x, -jnp.inf, lax.max, *window, "VALID"),
        lax.reduce_window(x, 0.0, lax.add, *window, "SAME") / 9,
        lax.reduce_window(x, jnp.inf, lax.min, *window, "SAME"),
        lax.reduce_window(x, 1.0, lax.add, *window, "VALID", base_dilation=(1, 2, 1, 1)),
    ), r(1, 8, 8, 3))  # fmt: skip


def products() -> None:
    case("einsum", lambda a, b: jnp.einsum("bhqd,bhkd->bhqk", a, b), r(2, 3, 4, 5), r(2, 3, 6, 5))
    conv = lax.conv_general_dilated
    last = ("NHWC", "HWIO", "NHWC")
    case("conv_last", lambda x, k: conv(x, k, (2, 2), "SAME", dimension_numbers=last),
         r(1, 8, 8, 3), r(3, 3, 3, 4))  # fmt: skip
    case("conv_first", lambda x, k: conv(x, k, (2, 1), "SAME", rhs_dilation=(1, 2)),
         r(2, 4, 8, 8), r(6, 4, 3, 3))  # fmt: skip
    case("conv_groups", lambda x, k: conv(x, k, (1, 1), [(1, -1), (0, 2)], feature_group_count=2),
         r(2, 4, 8, 8), r(6, 2, 3, 3))  # fmt: skip
    case("conv_line", lambda x, k: conv(x, k, (1,), "SAME"), r(2, 4, 8), r(6, 4, 3))
    case("conv_transposed", lambda x, k: lax.conv_transpose(x, k, (2, 2), "SAME"),
         r(2, 4, 4, 3), r(3, 3, 3, 5))  # fmt: skip


def control() -> None:
    def rnn(xs: Any, h: Any, w: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = jnp.tanh(x + h @ w)
            return h, h * 2

        return lax.scan(step, h, xs), lax.scan(step, h, xs, reverse=True)

    case("scan", rnn, r(5, 2, 3), r(2, 3), r(3, 3))
    case("fori", lambda x: lax.fori_loop(0, 3, lambda n, c: c * 2 + n, x), X)
    case("cond", lambda x: lax.cond(x.sum() > 0, lambda y: y + 1, lambda y: y - 1, x), X)
    branches = [lambda y: y + 1, lambda y: y - 1, lambda y: y * 3]
    case("switch", lambda x, n: lax.switch(n, branches, x), X, np.int32(1))


def models() -> None:
    case("mlp", lambda x, v, w: jax.nn.relu(x @ v) @ w + 1.0, X, r(8, 16), r(16, 3))
    case("layer_norm", lambda x, g, b: (x - x.mean(-1, keepdims=True)) * lax.rsqrt(
        x.var(-1, keepdims=True) + 1e-5) * g + b, X, r(8), r(8))  # fmt: skip
    case("attention", lambda q, k, v: jax.nn.dot_product_attention(q, k, v, is_causal=True),
         r(2, 6, 3, 4), r(2, 6, 3, 4), r(2, 6, 3, 4))  # fmt: skip
    case("activations", lambda x: (
        jax.nn.softmax(x), jax.nn.gelu(x), jax.nn.gelu(x, approximate=False), jax.nn.silu(x),
        jax.nn.softplus(x), jax.nn.elu(x), jax.nn.leaky_relu(x), jax.nn.log_softmax(x),
        jax.nn.hard_swish(x),
    ), X)  # fmt: skip
    case("resize", lambda x: jax.image.resize(x, (1, 16, 12, 3), "bilinear"), r(1, 8, 8, 3))


for fill in (arithmetic, movement, reductions, products, control, models):
    fill()


def lowered(name: str) -> Any:
    function, inputs = CASES[name]
    return jax.jit(function).lower(*inputs)


def generic(name: str) -> str:
    module = lowered(name).compiler_ir("stablehlo")
    return module.operation.get_asm(print_generic_op_form=True)


def results(name: str) -> list[np.ndarray]:
    """JAX's results on lanes: floats as FP32, integers as INT32."""
    function, inputs = CASES[name]
    found = []
    for value in jax.tree.leaves(jax.jit(function)(*inputs)):
        array = np.asarray(value)
        if array.dtype != np.bool_:
            array = array.astype(np.int32 if array.dtype.kind in "iu" else np.float32)
        found.append(array)
    return found


def write() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    for name, (_, inputs) in CASES.items():
        (FOLDER / f"{name}.mlir").write_text(lowered(name).as_text())
        (FOLDER / f"{name}.generic.mlir").write_text(generic(name))
        for kind, rows in (("in", inputs), ("out", results(name))):
            for number, row in enumerate(rows):
                arrays[f"{name}.{kind}{number}"] = np.asarray(row, order="C")
    save_file(arrays, FOLDER / "values.safetensors")


if __name__ == "__main__":
    write()
