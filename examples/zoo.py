"""Models in ONNX form with seeded random weights, for tests, benchmarks and trying things out.

    python examples/zoo.py resnet50 -o resnet50.onnx

`build(name, size, opset, seed)` gives a ModelProto (transformers need opset 9 for
Erf); `inputs(model, seed)` gives random inputs for it.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from typing import Any

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

    def attention(self, x: str, length: int, width: int, heads: int, causal: str | None) -> str:
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
        weights = self.op("Softmax", self.masked(scores, length, causal), axis=3)
        mixed = self.op("Transpose", self.op("MatMul", weights, v), perm=[0, 2, 1, 3])
        return self.linear(self.reshape(mixed, -1, length, width), width, width)

    def feed_forward(self, x: str, width: int) -> str:
        return self.linear(self.gelu(self.linear(x, width, 4 * width)), 4 * width, width)


def mlp(g: Graph, batch: int, widths: tuple[int, ...]) -> onnx.ModelProto:
    x = g.input("input", (batch, widths[0]))
    for inside, outside in itertools.pairwise(widths[:-1]):
        x = g.relu(g.gemm(x, inside, outside, gain=2))
    return g.model("mlp", g.gemm(x, widths[-2], widths[-1]), (batch, widths[-1]))


def lenet(
    g: Graph, side: int, channels: tuple[int, int], hidden: tuple[int, int]
) -> onnx.ModelProto:
    x = g.input("input", (1, 1, side, side))
    x = g.relu(g.conv(x, 1, channels[0], 5, pad=2))
    x = g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g.relu(g.conv(x, *channels, 5))
    x = g.op("Flatten", g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), axis=1)
    flat = channels[1] * ((side // 2 - 4) // 2) ** 2
    x = g.relu(g.gemm(x, flat, hidden[0]))
    x = g.relu(g.gemm(x, *hidden, gain=2))
    return g.model("lenet", g.gemm(x, hidden[1], 10), (1, 10))


def transformer(
    g: Graph, length: int, width: int, heads: int, decomposed: bool = False
) -> onnx.ModelProto:
    """One encoder block, post-norm as in BERT."""
    x = g.input("input", (1, length, width))
    x = g.layer_norm(g.op("Add", x, g.attention(x, length, width, heads, None)), width, decomposed)
    x = g.layer_norm(g.op("Add", x, g.feed_forward(x, width)), width, decomposed)
    return g.model("transformer", x, (1, length, width))


def gpt(
    g: Graph,
    length: int,
    width: int,
    heads: int,
    words: int,
    causal: str = "trilu",
    tied: bool = True,
):
    """Token and position embedding, one pre-norm decoder block as in GPT-2, logits."""
    assert causal in CAUSAL_FORMS
    tokens = g.input("tokens", (1, length), TensorProto.INT64)
    table = g.normal((words, width), 1.0, "words")
    places = g.op(
        "Gather", g.normal((length, width), 0.5, "places"), g.constant(np.arange(length)), axis=0
    )
    x = g.op("Add", g.op("Gather", table, tokens, axis=0), places)
    x = g.op("Add", x, g.attention(g.layer_norm(x, width, False), length, width, heads, causal))
    x = g.op("Add", x, g.feed_forward(g.layer_norm(x, width, False), width))
    x = g.op("Mul", g.layer_norm(x, width, False), g.constant(np.float32(1 / math.sqrt(width))))
    head = g.op("Transpose", table, perm=[1, 0]) if tied else g.normal((width, words), 1.0, "head")
    return g.model("gpt", g.op("MatMul", x, head), (1, length, words))


def resnet50(
    g: Graph, side: int, width: int, blocks: tuple[int, ...], classes: int
) -> onnx.ModelProto:
    x = g.input("input", (1, 3, side, side))
    x = g.relu(g.batch_norm(g.conv(x, 3, width, 7, 2, 3, bias=False), width))
    x = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    inside = width
    for stage, count in enumerate(blocks):
        middle, outside = width << stage, 4 * width << stage
        for block in range(count):
            stride = 2 if block == 0 and stage > 0 else 1
            shortcut = x
            if block == 0:
                shortcut = g.batch_norm(g.conv(x, inside, outside, 1, stride, bias=False), outside)
            y = g.relu(g.batch_norm(g.conv(x, inside, middle, 1, bias=False), middle))
            y = g.relu(g.batch_norm(g.conv(y, middle, middle, 3, stride, 1, bias=False), middle))
            y = g.batch_norm(g.conv(y, middle, outside, 1, bias=False), outside, scale=0.5)
            x = g.op("Relu", g.op("Add", y, shortcut), power=1.0)
            inside = outside
    x = g.op("Flatten", g.op("GlobalAveragePool", x), axis=1)
    return g.model("resnet50", g.gemm(x, inside, classes), (1, classes))


def squeezenet(g: Graph, side: int, divide: int, classes: int) -> onnx.ModelProto:
    """SqueezeNet 1.1: fire modules (squeeze, expand), pooling that rounds up."""
    ceiling = {"ceil_mode": 1} if g.opset >= 10 else {}
    pool: dict[str, Any] = dict(kernel_shape=[3, 3], strides=[2, 2], **ceiling)
    x = g.input("input", (1, 3, side, side))
    inside = 64 // divide
    x = g.relu(g.conv(x, 3, inside, 3, 2))
    for entry in ("pool", 16, 16, "pool", 32, 32, "pool", 48, 48, 64, 64):
        if entry == "pool":
            x = g.op("MaxPool", x, **pool)
            continue
        squeeze, expand = int(entry) // divide, 4 * int(entry) // divide
        y = g.relu(g.conv(x, inside, squeeze, 1))
        wide = (g.relu(g.conv(y, squeeze, expand, 1)), g.relu(g.conv(y, squeeze, expand, 3, pad=1)))
        x, inside = g.op("Concat", *wide, axis=1), 2 * expand
    x = g.relu(g.conv(g.op("Dropout", x), inside, classes, 1))
    x = g.op("Flatten", g.op("GlobalAveragePool", x), axis=1)
    return g.model("squeezenet", g.op("Softmax", x, axis=1), (1, classes))


ENCODER = {
    "paper": {"length": 128, "width": 768, "heads": 12},
    "tiny": {"length": 8, "width": 32, "heads": 4},
}
DECODER = {
    size: ENCODER[size] | {"words": words} for size, words in (("paper", 8192), ("tiny", 50))
}
MODELS = {
    "mlp": (
        mlp,
        {
            "paper": {"batch": 16, "widths": (784, 512, 256, 10)},
            "tiny": {"batch": 4, "widths": (20, 24, 16, 10)},
        },
    ),
    "lenet": (
        lenet,
        {
            "paper": {"side": 28, "channels": (6, 16), "hidden": (120, 84)},
            "tiny": {"side": 12, "channels": (3, 4), "hidden": (12, 11)},
        },
    ),
    "transformer": (transformer, ENCODER),
    "transformer_decomposed": (
        transformer,
        {k: v | {"decomposed": True} for k, v in ENCODER.items()},
    ),
    "gpt": (gpt, DECODER),
    "gpt_additive": (
        gpt,
        {k: v | {"causal": "additive", "tied": False} for k, v in DECODER.items()},
    ),
    "resnet50": (
        resnet50,
        {
            "paper": {"side": 224, "width": 64, "blocks": (3, 4, 6, 3), "classes": 1000},
            "tiny": {"side": 32, "width": 8, "blocks": (1, 1, 1, 1), "classes": 10},
        },
    ),
    "squeezenet": (
        squeezenet,
        {
            "paper": {"side": 224, "divide": 1, "classes": 1000},
            "tiny": {"side": 36, "divide": 8, "classes": 10},
        },
    ),
}


def build(name: str, size: str = "paper", opset: int = 17, seed: int = 0) -> onnx.ModelProto:
    function, sizes = MODELS[name]
    return function(Graph(opset, seed), **sizes[size])


def inputs(model: onnx.ModelProto, seed: int = 0) -> dict[str, np.ndarray]:
    """Normal values for floats; for token ids, numbers below the embedding table's height."""
    random = np.random.default_rng(seed)
    height = min(
        (w.dims[0] for w in model.graph.initializer if w.name.startswith("words")), default=1
    )
    result = {}
    for value in model.graph.input:
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if value.type.tensor_type.elem_type == TensorProto.INT64:
            result[value.name] = random.integers(0, height, shape)
        else:
            result[value.name] = random.standard_normal(shape, np.float32)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", choices=sorted(MODELS))
    parser.add_argument("-o", "--output", help="file to write (default: MODEL.onnx)")
    parser.add_argument("--size", choices=("paper", "tiny"), default="paper")
    parser.add_argument("--opset", type=int, default=17)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model = build(options.model, options.size, options.opset, options.seed)
    onnx.checker.check_model(model)
    path = options.output or f"{options.model}.onnx"
    onnx.save(model, path)
    print(
        f"{path}: {len(model.graph.node)} nodes, {model.ByteSize() / 1e6:.1f} MB", file=sys.stderr
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
