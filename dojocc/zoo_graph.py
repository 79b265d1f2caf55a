"""A small builder of ONNX graphs with seeded random weights, for the networks of the zoo."""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CAUSAL_FORMS = ("trilu", "additive")


class Graph:
    """Collects nodes and weights. `power` is a value's expected mean square, kept near 1."""

    def __init__(self, opset: int, seed: int) -> None:
        self.opset, self.random = opset, np.random.default_rng(seed)
        self.nodes, self.weights, self.inputs = [], [], []
        self.power: dict[str, float] = {}
        self.names: dict[str, int] = {}

    def name(self, stem: str) -> str:
        self.names[stem] = self.names.get(stem, -1) + 1
        return f"{stem}_{self.names[stem]}"

    def input(self, name: str, shape: tuple[int, ...], kind: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        self.power[name] = 1.0
        return name

    def constant(self, array: np.ndarray | np.generic, stem: str = "constant") -> str:
        name = self.name(stem)
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def normal(self, shape: tuple[int, ...], scale: float, stem: str, mean: float = 0.0) -> str:
        values = self.random.standard_normal(shape, np.float32) * np.float32(scale) + np.float32(
            mean
        )
        return self.constant(values, stem)

    def op(self, kind: str, *operands: str, power: float = 1.0, **attributes) -> str:
        output = self.name(kind.lower())
        self.nodes.append(
            helper.make_node(kind, operands, [output], name=self.name(kind), **attributes)
        )
        self.power[output] = power
        return output

    def model(self, name: str, output: str, shape: tuple[int | str, ...]) -> onnx.ModelProto:
        last = self.nodes[-1]
        last.output[0] = "output"
        result = helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, name, self.inputs, [result], self.weights)
        opsets = [helper.make_opsetid("", self.opset)]
        version = helper.find_min_ir_version_for(opsets, ignore_unknown=True)
        if self.opset < 9:  # before IR 4 every initialiser had to be listed as an input
            version = 4
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=version, producer_name="dojocc-zoo"
        )

    def linear(self, x: str, inside: int, outside: int) -> str:
        """x @ w + b as MatMul and Add, for any rank of x."""
        w = self.normal((inside, outside), 1 / math.sqrt(inside), "weight")
        return self.op("Add", self.op("MatMul", x, w), self.normal((outside,), 0.1, "bias"))

    def gemm(self, x: str, inside: int, outside: int, gain: float = 1.0) -> str:
        w = self.normal((outside, inside), math.sqrt(gain / inside), "weight")
        return self.op("Gemm", x, w, self.normal((outside,), 0.1, "bias"), transB=1)

    def conv(
        self,
        x: str,
        inside: int,
        outside: int,
        kernel: int,
        stride: int = 1,
        pad: int = 0,
        bias: bool = True,
    ):
        """Convolution with He initialisation: the output's mean square is twice the input's."""
        w = self.normal(
            (outside, inside, kernel, kernel), math.sqrt(2 / (inside * kernel**2)), "weight"
        )
        operands = [x, w] + ([self.normal((outside,), 0.1, "bias")] if bias else [])
        shape = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        return self.op("Conv", *operands, power=2 * self.power[x], **shape)

    def relu(self, x: str) -> str:
        return self.op("Relu", x, power=self.power[x] / 2)

    def batch_norm(self, x: str, channels: int, scale: float = 1.0) -> str:
        """Statistics are what the convolution before really gives, give or take a fifth."""
        spread = math.sqrt(self.power[x])
        gain = self.constant(
            scale * self.random.uniform(0.8, 1.2, channels).astype(np.float32), "gain"
        )
        shift = self.normal((channels,), 0.1 * scale, "shift")
        mean = self.normal((channels,), 0.1 * spread, "mean")
        variance = self.constant(
            self.power[x] * self.random.uniform(0.8, 1.2, channels).astype(np.float32), "variance"
        )
        return self.op(
            "BatchNormalization", x, gain, shift, mean, variance, power=scale**2, epsilon=1e-5
        )

    def reduce_mean(self, x: str) -> str:
        if self.opset < 18:
            return self.op("ReduceMean", x, axes=[-1], keepdims=1)
        return self.op("ReduceMean", x, self.constant(np.array([-1], np.int64)), keepdims=1)

    def layer_norm(self, x: str, width: int, decomposed: bool) -> str:
        gain, shift = (
            self.normal((width,), 0.1, "gain", mean=1.0),
            self.normal((width,), 0.1, "shift"),
        )
        if self.opset >= 17 and not decomposed:
            return self.op("LayerNormalization", x, gain, shift, axis=-1, epsilon=1e-5)
        centred = self.op("Sub", x, self.reduce_mean(x))
        square = self.op("Pow", centred, self.constant(np.float32(2)))
        variance = self.op("Add", self.reduce_mean(square), self.constant(np.float32(1e-5)))
        normal = self.op("Div", centred, self.op("Sqrt", variance))
        return self.op("Add", self.op("Mul", normal, gain), shift)

    def gelu(self, x: str) -> str:
        if self.opset >= 20:
            return self.op("Gelu", x)
        bent = self.op("Erf", self.op("Div", x, self.constant(np.float32(math.sqrt(2)))))
        half = self.op("Mul", x, self.op("Add", bent, self.constant(np.float32(1))))
        return self.op("Mul", half, self.constant(np.float32(0.5)))

    def reshape(self, x: str, *shape: int) -> str:
        return self.op(
            "Reshape", x, self.constant(np.array(shape, np.int64), "shape"), power=self.power[x]
        )

    def masked(self, scores: str, length: int, form: str | None) -> str:
        """Hide the future from each token: Where under a triangle, or add 0 and -inf."""
        if form is None:
            return scores
        if form == "trilu" and self.opset >= 14:
            seen = self.op("Trilu", self.constant(np.ones((length, length), np.int64)), upper=0)
            seen = self.op("Cast", seen, to=TensorProto.BOOL)
            return self.op("Where", seen, scores, self.constant(np.float32(-np.inf)))
        mask = np.triu(np.full((1, 1, length, length), -np.inf, np.float32), 1)
        return self.op("Add", scores, self.constant(mask, "mask"))

    def padding_bias(self, real: str, batch: int, length: int) -> str:
        """[batch, 1, 1, length]: 0 where `real` is 1, the least float where it is 0."""
        shown = self.reshape(self.op("Cast", real, to=TensorProto.FLOAT), batch, 1, 1, length)
        hidden = self.op("Sub", self.constant(np.float32(1)), shown)
        return self.op("Mul", hidden, self.constant(np.finfo(np.float32).min))

    def row(self, width: int) -> np.ndarray:
        """Random values of one row, [width]."""
        return self.random.standard_normal(width, np.float32) * np.float32(0.5)

    def attention(
        self,
        x: str,
        length: int,
        width: int,
        heads: int,
        causal: str | None,
        bias: str | None = None,
    ) -> str:
        depth = width // heads
        split = [
            self.reshape(self.linear(x, width, width), -1, length, heads, depth) for _ in "qkv"
        ]
        q = self.op("Transpose", split[0], perm=[0, 2, 1, 3])
        k = self.op("Transpose", split[1], perm=[0, 2, 3, 1])
        v = self.op("Transpose", split[2], perm=[0, 2, 1, 3])
        scores = self.op(
            "Mul", self.op("MatMul", q, k), self.constant(np.float32(1 / math.sqrt(depth)))
        )
        scores = self.op("Add", scores, bias) if bias else self.masked(scores, length, causal)
        weights = self.op("Softmax", scores, axis=3)
        mixed = self.op("Transpose", self.op("MatMul", weights, v), perm=[0, 2, 1, 3])
        return self.linear(self.reshape(mixed, -1, length, width), width, width)

    def feed_forward(self, x: str, width: int) -> str:
        return self.linear(self.gelu(self.linear(x, width, 4 * width)), 4 * width, width)

    def pre_norm_block(
        self, x: str, length: int, width: int, heads: int, causal: str | None
    ) -> str:
        """Attention and feed-forward, each behind a layer norm and beside a shortcut."""
        normal = self.layer_norm(x, width, False)
        x = self.op("Add", x, self.attention(normal, length, width, heads, causal))
        return self.op("Add", x, self.feed_forward(self.layer_norm(x, width, False), width))
