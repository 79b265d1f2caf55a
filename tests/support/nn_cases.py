"""Cases for every nn op: operand types, properties, and an outside oracle for the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import nn_oracles as oracles
import nn_rounding as rounding
import numpy as np
from nn_oracles import onnx_op
from xdsl.dialects.builtin import bf16, f32, i1, i8, i32
from xdsl.ir import Attribute, Block, SSAValue

from dojocc.dialects.nn import NN_OPS
from dojocc.dialects.op import NNOp, build
from dojocc.dialects.types import as_element, dense_of, tensor

ELEMENTS: dict[str, Attribute] = {"f32": f32, "bf16": bf16, "i32": i32, "i1": i1, "i8": i8}


@dataclass(frozen=True)
class Case:
    """One use of an op; `span` bounds random operands, `exact` asks for equality."""

    op: str
    types: tuple[str, ...]
    oracle: Callable[..., np.ndarray]
    props: dict[str, Any] = field(default_factory=dict)
    span: tuple[float, float] = (-2.0, 2.0)
    exact: bool = False

    @property
    def id(self) -> str:
        return f"{self.op}-{'-'.join(self.types)}-{len(self.props)}"

    @property
    def is_float(self) -> bool:
        """Every operand is f32, so that the case can be run in bf16 too."""
        return bool(self.types) and all(text.endswith("f32") for text in self.types)

    def operand_types(self, floats: Attribute = f32) -> list[Any]:
        found = []
        for text in self.types:
            *sizes, element = text.split("x")
            kind = floats if element == "f32" else ELEMENTS[element]
            found.append(tensor([int(size) for size in sizes], kind))
        return found

    def arrays(self, seed: int = 7, floats: Attribute = f32) -> list[np.ndarray]:
        random = np.random.default_rng(seed)
        low, high = self.span
        arrays = []
        for type in self.operand_types(floats):
            shape = type.get_shape()
            if type.element_type == i1:
                arrays.append(random.integers(0, 2, shape).astype(bool))
            elif type.element_type in (i32, i8):
                whole = random.integers(int(low), int(high) + 1, shape)
                arrays.append(as_element(whole, type.element_type))
            else:
                arrays.append(as_element(random.uniform(low, high, shape), type.element_type))
        return arrays

    def build(self, floats: Attribute = f32, location: str = "case") -> tuple[Block, NNOp]:
        """The op on the arguments of a fresh block."""
        block = Block(arg_types=self.operand_types(floats))
        operands: list[SSAValue] = list(block.args)
        op = build(NN_OPS[self.op], operands, location=location, **self.props)
        block.add_op(op)
        return block, op


def _unary() -> list[Case]:
    plain = {
        "abs": np.abs,
        "negate": np.negative,
        "sign": np.sign,
        "floor": np.floor,
        "ceil": np.ceil,
        "round_nearest_even": np.rint,
        "exponential": np.exp,
        "exponential_minus_one": np.expm1,
        "sine": np.sin,
        "cosine": np.cos,
        "tanh": np.tanh,
        "erf": oracles.erf,
        "logistic": lambda x: 1 / (1 + np.exp(-x)),
        "is_finite": np.isfinite,
    }
    positive = {
        "log": np.log,
        "log_plus_one": np.log1p,
        "sqrt": np.sqrt,
        "rsqrt": lambda x: x**-0.5,
    }
    rows = [Case(name, (t,), f) for name, f in plain.items() for t in ("3x5xf32", "17xf32", "f32")]
    rows += [
        Case(name, (t,), f, span=(0.1, 4))
        for name, f in positive.items()
        for t in ("2x3xf32", "33xf32")
    ]
    whole = {"abs": np.abs, "negate": np.negative, "sign": np.sign, "not": np.invert}
    rows += [Case(name, ("4x3xi32",), f, span=(-99, 99), exact=True) for name, f in whole.items()]
    rows.append(Case("not", ("7xi1",), np.logical_not, exact=True))
    return rows


def _binary() -> list[Case]:
    def truncated_quotient(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.trunc(x / y) if x.dtype.kind == "i" else x / y

    both = {
        "add": np.add,
        "subtract": np.subtract,
        "multiply": np.multiply,
        "maximum": np.maximum,
        "minimum": np.minimum,
    }
    rows = [Case(n, (t, t), f) for n, f in both.items() for t in ("3x4xf32", "5xf32", "f32")]
    rows += [Case(n, ("9xi32", "9xi32"), f, span=(-50, 50), exact=True) for n, f in both.items()]
    for name, function in (("divide", truncated_quotient), ("remainder", np.fmod)):
        rows.append(Case(name, ("3x7xf32", "3x7xf32"), function, span=(0.5, 9)))
        rows.append(Case(name, ("8xi32", "8xi32"), function, span=(1, 40), exact=True))
    rows.append(Case("power", ("4x5xf32", "4x5xf32"), np.power, span=(0.2, 3)))
    rows.append(Case("power", ("6xf32", "6xf32"), np.power, span=(1.5, 2.5)))
    rows.append(Case("power", ("6xi32", "6xi32"), np.power, span=(0, 5), exact=True))
    for name, function in (
        ("and", np.bitwise_and),
        ("or", np.bitwise_or),
        ("xor", np.bitwise_xor),
    ):
        rows.append(Case(name, ("11xi32", "11xi32"), function, span=(-99, 99), exact=True))
        rows.append(Case(name, ("2x6xi1", "2x6xi1"), function, exact=True))
    compare = {
        "EQ": np.equal,
        "NE": np.not_equal,
        "LT": np.less,
        "LE": np.less_equal,
        "GT": np.greater,
        "GE": np.greater_equal,
    }
    for direction, function in compare.items():
        props = {"direction": direction}
        rows.append(Case("compare", ("3x4xf32", "3x4xf32"), function, props, exact=True))
        rows.append(Case("compare", ("40xi32", "40xi32"), function, props, (-3, 3), exact=True))
    rows.append(Case("select", ("3x4xi1", "3x4xf32", "3x4xf32"), np.where))
    rows.append(Case("select", ("5xi1", "5xi32", "5xi32"), np.where, span=(-9, 9), exact=True))

    def clip(low: np.ndarray, x: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.minimum(np.maximum(x, low), high)

    rows.append(Case("clamp", ("f32", "4x5xf32", "f32"), clip))
    rows.append(Case("clamp", ("6xi32", "6xi32", "6xi32"), clip, span=(-9, 9), exact=True))
    rows.append(Case("clamp", ("2x3xf32", "2x3xf32", "2x3xf32"), clip))
    return rows


def _convert() -> list[Case]:
    rows = [
        ("6xf32", i32, oracles.truncated),
        ("6xf32", i1, lambda x: x != 0),
        ("6xi32", f32, lambda x: x.astype(np.float32)),
        ("6xi1", f32, lambda x: x.astype(np.float32)),
        ("6xi1", i32, lambda x: x.astype(np.int32)),
        ("6xi32", i8, lambda x: np.clip(x, -128, 127)),
        ("3x2xf32", f32, lambda x: x),
    ]
    cases = [
        Case("convert", (t,), f, {"element_type": e}, (-400, 400), exact=True) for t, e, f in rows
    ]
    for t, e, dtype in (("6xf32", i32, np.int32), ("2x9xi32", f32, np.float32)):
        source = np.float32 if e == i32 else np.int32
        oracle = lambda x, s=source, d=dtype: x.astype(s).view(d)  # noqa: E731
        span = (-400, 400) if e == i32 else (1 << 29, 1 << 30)
        cases.append(Case("bitcast_convert", (t,), oracle, {"element_type": e}, span, exact=True))
    return cases


def _data() -> list[Case]:
    picture = np.arange(6, dtype=np.float32).reshape(2, 3)
    whole = np.array([3, -4], np.int32)
    return [
        Case("constant", (), lambda: picture, {"value": dense_of(picture)}, exact=True),
        Case("constant", (), lambda: whole, {"value": dense_of(whole)}, exact=True),
        Case(
            "iota",
            (),
            lambda: np.arange(4, dtype=np.int32),
            {"dim": 0, "shape": [4], "element_type": i32},
            exact=True,
        ),
        Case(
            "iota",
            (),
            lambda: np.broadcast_to(np.arange(3.0)[:, None], (2, 3, 5)),
            {"dim": 1, "shape": [2, 3, 5], "element_type": f32},
            exact=True,
        ),
    ]


def _movement() -> list[Case]:
    def row(op: str, types: tuple[str, ...], oracle: Callable[..., Any], **props: Any) -> Case:
        return Case(op, types, oracle, props, exact=True)

    def sliced(x: np.ndarray) -> np.ndarray:
        return x[1:4, 0:7:3]

    def spread(x: np.ndarray) -> np.ndarray:
        return np.broadcast_to(x[None, :, :], (2, 3, 4))

    rows = [
        row("reshape", ("2x6xf32",), lambda x: x.reshape(3, 4), shape=[3, 4]),
        row("reshape", ("1x4x1xi32",), lambda x: x.reshape(4, 1), shape=[4, 1]),
        row("transpose", ("2x3xf32",), lambda x: x.T, permutation=[1, 0]),
        row("transpose", ("2x3x4xf32",), lambda x: x.transpose(2, 0, 1), permutation=[2, 0, 1]),
        row("slice", ("5x7xf32",), sliced, start=[1, 0], limit=[4, 7], strides=[1, 3]),
        row("slice", ("4xi32",), lambda x: x[2:], start=[2], limit=[4], strides=[1]),
        row("concatenate", ("2x3xf32", "2x1xf32"), lambda *a: np.concatenate(a, 1), dim=1),
        row("concatenate", ("2xi32", "1xi32", "3xi32"), lambda *a: np.concatenate(a), dim=0),
        row("reverse", ("3x4xf32",), lambda x: x[::-1], dims=[0]),
        row("reverse", ("2x3x2xf32",), lambda x: x[::-1, :, ::-1], dims=[0, 2]),
        row("broadcast_in_dim", ("1x4xf32",), lambda x: x.repeat(3, 0), dims=[0, 1], shape=[3, 4]),
        row("broadcast_in_dim", ("3x1xf32",), spread, dims=[1, 2], shape=[2, 3, 4]),
        row("broadcast_in_dim", ("f32",), lambda x: np.full((2, 2), x), dims=[], shape=[2, 2]),
    ]
    for shape, low, high, interior in (
        ("3x4xf32", [1, 2], [0, 3], [0, 0]),
        ("3x4xf32", [1, 0], [2, 1], [2, 1]),
        ("5x4xf32", [-1, 1], [2, -2], [0, 0]),
        ("5x4xi32", [-2, -1], [-1, 3], [1, 2]),
    ):
        value = "f32" if shape.endswith("f32") else "i32"
        oracle = oracles.pad(low, high, interior)
        rows.append(row("pad", (shape, value), oracle, low=low, high=high, interior=interior))
    take = Case("take", ("5x3xf32", "2x2xi32"), lambda d, i: np.take(d, i, 0), {"axis": 0}, (0, 4))
    clamped = Case(
        "take",
        ("2x4x3xf32", "6xi32"),
        lambda d, i: d[:, np.clip(i, 0, 3)],
        {"axis": 1},
        (-3, 9),
        exact=True,
    )
    return [*rows, take, clamped]


def _contraction() -> list[Case]:
    def dot(left: str, right: str, letters: str, *lists: list[int]) -> Case:
        names = ("lhs_batch", "rhs_batch", "lhs_contract", "rhs_contract")
        props: dict[str, Any] = dict(zip(names, lists, strict=True))
        return Case("dot_general", (left, right), lambda a, c: np.einsum(letters, a, c), props)

    rows = [
        dot("3x5xf32", "5x4xf32", "mk,kn->mn", [], [], [1], [0]),
        dot("2x3x5xf32", "2x4x5xf32", "bmk,bnk->bmn", [0], [0], [2], [2]),
        dot("3x2x4xf32", "4x3x5xf32", "kbj,jkn->bn", [], [], [0, 2], [1, 0]),
        dot("5x2x3xf32", "4x2x5xf32", "kbm,nbk->bmn", [1], [1], [0], [2]),
        dot("6xf32", "6xf32", "k,k->", [], [], [0], [0]),
        dot("2xf32", "3xf32", "m,n->mn", [], [], [], []),
    ]
    one, two = [1], [1, 1]
    for x, w, strides, padding, spread, taps, groups, layout in (
        ("1x2x5x6xf32", "3x2x3x2xf32", [2, 1], [1, 1, 0, 2], two, [1, 2], 1, "nchw"),
        ("2x5x4x3xf32", "3x3x3x4xf32", two, [1, 1, 1, 1], two, two, 1, "nhwc"),
        ("1x5x5x4xf32", "3x3x2x6xf32", [2, 2], [0, 1, 1, 1], two, two, 2, "nhwc"),
        ("1x4x4x4xf32", "4x1x3x3xf32", two, [1, 1, 1, 1], two, two, 4, "nchw"),
        ("1x2x3x4xf32", "2x2x3x3xf32", two, [2, 1, 0, 2], [2, 3], two, 1, "nchw"),
        ("2x3x7xf32", "2x3x3xf32", [2], [1, 0], one, [2], 1, "nchw"),
        (
            "1x3x3x4x2xf32",
            "2x2x1x2x3xf32",
            [1, 1, 2],
            [0, 1, 1, 0, 0, 0],
            [1] * 3,
            [1] * 3,
            1,
            "nhwc",
        ),
    ):
        props: dict[str, Any] = {
            "strides": strides,
            "padding": padding,
            "lhs_dilation": spread,
            "rhs_dilation": taps,
            "groups": groups,
            "layout": layout,
        }
        rows.append(Case("convolution", (x, w), oracles.convolution(**props), props))
    return rows


def _reduction() -> list[Case]:
    functions = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "prod": np.prod}
    rows = []
    for kind, function in functions.items():
        for t, dims in (
            ("3x4x5xf32", (1,)),
            ("2x37xf32", (1,)),
            ("3x2x18xf32", (0, 2)),
            ("7xf32", (0,)),
        ):
            oracle = lambda x, f=function, d=dims: f(x, axis=d)  # noqa: E731
            rows.append(Case("reduce", (t,), oracle, {"kind": kind, "dims": dims}))
    whole = lambda x: x.sum(1)  # noqa: E731
    rows.append(Case("reduce", ("3x20xi32",), whole, {"kind": "sum", "dims": [1]}, (-9, 9), True))
    rows.append(Case("reduce", ("3x20xi1",), lambda x: x.any(1), {"kind": "max", "dims": [1]}))
    for kind, onnx_name in (("max", "ArgMax"), ("min", "ArgMin")):
        for t, axis in (("4x6xf32", 1), ("3x5x2xf32", 0)):
            oracle = onnx_op(onnx_name, axis=axis, keepdims=0)
            rows.append(Case("arg_reduce", (t,), oracle, {"kind": kind, "axis": axis}, exact=True))
    for kind, window, strides, padding, dilation in (
        ("max", [1, 1, 3, 3], [1, 1, 2, 2], [0, 0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 1]),
        ("sum", [1, 1, 2, 3], [1, 1, 2, 1], [0, 0, 0, 0, 0, 1, 1, 1], [1, 1, 1, 1]),
        ("max", [1, 2, 2, 2], [1, 1, 1, 2], [0] * 8, [1, 1, 2, 1]),
        ("max", [1, 2, 3, 2], [1, 1, 2, 1], [0, 0, 1, 0, 1, 1, 0, 1], [1, 1, 1, 1]),
        ("sum", [2, 2, 1, 2], [1, 1, 1, 1], [1, 0, 0, 1, 2, 1, 1, 1], [1, 1, 1, 1]),
    ):
        props: dict[str, Any] = dict(
            kind=kind, window=window, strides=strides, padding=padding, dilation=dilation
        )
        oracle = oracles.reduce_window(**props)
        rows.append(Case("reduce_window", ("1x2x5x6xf32",), oracle, props))
    return rows


def _normalisation() -> list[Case]:
    rows = []
    for t, axis in (("3x5xf32", 1), ("2x3x4xf32", 1), ("37xf32", 0)):
        soft, log = onnx_op("Softmax", axis=axis), onnx_op("LogSoftmax", axis=axis)
        rows.append(Case("softmax", (t,), soft, {"axis": axis}))
        rows.append(Case("log_softmax", (t,), log, {"axis": axis}))
    for x, vector, axis in (("2x3x20xf32", "20xf32", 2), ("2x3x4xf32", "3x4xf32", 1)):
        oracle = onnx_op("LayerNormalization", axis=axis, epsilon=1e-5)
        props = {"axis": axis, "epsilon": 1e-5}
        rows.append(Case("layer_norm", (x, vector, vector), oracle, props))
    batch = onnx_op("BatchNormalization", epsilon=1e-3)

    def behind(x: np.ndarray, *rest: np.ndarray) -> np.ndarray:
        return np.moveaxis(batch(np.moveaxis(x, -1, 1), *rest), 1, -1)

    vectors = ("3xf32",) * 4
    for x, oracle, feature in (("2x3x4x4xf32", batch, 1), ("2x4x3xf32", behind, 2)):
        props = {"epsilon": 1e-3, "feature": feature}
        rows.append(Case("batch_norm_inference", (x, *vectors), oracle, props, (0.2, 2)))
    return rows


def _activation() -> list[Case]:
    rows = []
    table: list[tuple[str, str, dict[str, Any]]] = [
        ("gelu", "Gelu", {"approximate": "none"}),
        ("gelu", "Gelu", {"approximate": "tanh"}),
        ("hard_sigmoid", "HardSigmoid", {"alpha": 0.3, "beta": 0.4}),
        ("hard_swish", "HardSwish", {}),
        ("leaky_relu", "LeakyRelu", {"alpha": 0.02}),
        ("elu", "Elu", {"alpha": 1.3}),
        ("selu", "Selu", {"alpha": 1.6, "gamma": 1.05}),
        ("softplus", "Softplus", {}),
        ("mish", "Mish", {}),
        ("softsign", "Softsign", {}),
    ]
    for op, onnx_name, props in table:
        for t in ("3x7xf32", "18xf32"):
            rows.append(Case(op, (t,), onnx_op(onnx_name, **props), props, (-5, 5)))
    silu = lambda x: x / (1 + np.exp(-x))  # noqa: E731
    rows += [Case("silu", (t,), silu, span=(-5, 5)) for t in ("3x7xf32", "18xf32")]
    return rows


def _rounding() -> list[Case]:
    """Formats that ml_dtypes has too, on values in both ranges; bits that never carry."""
    kept = {"tensor": "x", "format": "CF8_143", "backward": "none"}
    rows = [Case("stored_as", (t,), np.array, kept) for t in ("3x5xf32", "f32")]
    for t in ("3x17xf32", "f32"):
        rows.append(Case("round_to", (t,), rounding.nearest, {"format": "CF8_143"}, (-400, 400)))
    down = {"format": "CF8_152"}
    for sizes in ("3x17x", "40x"):
        types = (f"{sizes}f32", f"{sizes}i32")
        rows.append(Case("round_stochastically", types, rounding.truncated, down, (1, 9)))
        words = (-(2**31), 2**31 - 1)
        rows.append(Case("random_bits", types[1:], rounding.mixed, span=words, exact=True))
    return rows


CASES: tuple[Case, ...] = (
    *_rounding(),
    *_unary(),
    *_binary(),
    *_convert(),
    *_data(),
    *_movement(),
    *_contraction(),
    *_reduction(),
    *_normalisation(),
    *_activation(),
)
REGION_OPS = ("fused", "yield")  # hold or end a region; tests/nn/test_fused.py has theirs
