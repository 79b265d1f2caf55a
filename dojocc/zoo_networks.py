"""The networks of the zoo: each takes a Graph and its sizes, and gives a ModelProto."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from dojocc.zoo_graph import CAUSAL_FORMS, Graph


def mlp(g: Graph, batch: int, widths: tuple[int, ...]) -> onnx.ModelProto:
    x = g.input("input", (batch, widths[0]))
    for inside, outside in itertools.pairwise(widths[:-1]):
        x = g.relu(g.gemm(x, inside, outside, gain=2))
    return g.model("mlp", g.gemm(x, widths[-2], widths[-1]), (batch, widths[-1]))


def lenet(
    g: Graph, side: int, channels: tuple[int, int], hidden: tuple[int, int], batch: int = 1
) -> onnx.ModelProto:
    x = g.input("input", (batch, 1, side, side))
    x = g.relu(g.conv(x, 1, channels[0], 5, pad=2))
    x = g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g.relu(g.conv(x, *channels, 5))
    x = g.op("Flatten", g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), axis=1)
    flat = channels[1] * ((side // 2 - 4) // 2) ** 2
    x = g.relu(g.gemm(x, flat, hidden[0]))
    x = g.relu(g.gemm(x, *hidden, gain=2))
    return g.model("lenet", g.gemm(x, hidden[1], 10), (batch, 10))


def transformer(
    g: Graph, length: int, width: int, heads: int, decomposed: bool = False, batch: int = 1
) -> onnx.ModelProto:
    """One encoder block, post-norm as in BERT."""
    x = g.input("input", (batch, length, width))
    x = g.layer_norm(g.op("Add", x, g.attention(x, length, width, heads, None)), width, decomposed)
    x = g.layer_norm(g.op("Add", x, g.feed_forward(x, width)), width, decomposed)
    return g.model("transformer", x, (batch, length, width))


def gpt(
    g: Graph,
    length: int,
    width: int,
    heads: int,
    words: int,
    causal: str = "trilu",
    tied: bool = True,
    layers: int = 1,
    batch: int = 1,
) -> onnx.ModelProto:
    """Token and position embedding, pre-norm decoder blocks as in GPT-2, logits."""
    assert causal in CAUSAL_FORMS
    tokens = g.input("tokens", (batch, length), TensorProto.INT64)
    table = g.normal((words, width), 1.0, "words")
    places = g.op(
        "Gather", g.normal((length, width), 0.5, "places"), g.constant(np.arange(length)), axis=0
    )
    x = g.op("Add", g.op("Gather", table, tokens, axis=0), places)
    for _ in range(layers):
        x = g.pre_norm_block(x, length, width, heads, causal)
    x = g.op("Mul", g.layer_norm(x, width, False), g.constant(np.float32(1 / math.sqrt(width))))
    head = g.op("Transpose", table, perm=[1, 0]) if tied else g.normal((width, words), 1.0, "head")
    return g.model("gpt", g.op("MatMul", x, head), (batch, length, words))


def bert(
    g: Graph, length: int, width: int, heads: int, words: int, layers: int, batch: int = 1
) -> onnx.ModelProto:
    """BERT's encoder: tokens and which of them are real, to the last hidden state."""
    tokens = g.input("tokens", (batch, length), TensorProto.INT64)
    real = g.input("attention_mask", (batch, length), TensorProto.INT64)
    table = g.normal((words, width), 1.0, "words")
    places = g.normal((1, length, width), 0.5, "places")
    kinds = g.op(
        "Gather",
        g.normal((2, width), 0.5, "kinds"),
        g.constant(np.zeros((1, length), np.int64)),
        axis=0,
    )
    x = g.op("Add", g.op("Gather", table, tokens, axis=0), g.op("Add", places, kinds))
    x = g.layer_norm(x, width, False)
    bias = g.padding_bias(real, batch, length)
    for _ in range(layers):
        x = g.op("Add", x, g.attention(x, length, width, heads, None, bias))
        x = g.layer_norm(x, width, False)
        x = g.layer_norm(g.op("Add", x, g.feed_forward(x, width)), width, False)
    return g.model("bert", x, (batch, length, width))


def vit(
    g: Graph,
    side: int,
    patch: int,
    width: int,
    heads: int,
    layers: int,
    classes: int,
    batch: int = 1,
) -> onnx.ModelProto:
    """Vision transformer: patches by a convolution, a class token, pre-norm blocks, one head."""
    count = (side // patch) ** 2
    image = g.input("input", (batch, 3, side, side))
    x = g.reshape(g.conv(image, 3, width, patch, patch), batch, width, count)
    x = g.op("Transpose", x, perm=[0, 2, 1])
    first = g.constant(np.zeros((batch, 1, width), np.float32) + g.row(width), "class_token")
    x = g.op("Concat", first, x, axis=1)
    x = g.op("Add", x, g.normal((1, count + 1, width), 0.5, "places"))
    for _ in range(layers):
        x = g.pre_norm_block(x, count + 1, width, heads, None)
    x = g.layer_norm(x, width, False)
    x = g.op("Flatten", g.op("Gather", x, g.constant(np.array([0])), axis=1), axis=1)
    return g.model("vit", g.gemm(x, width, classes), (batch, classes))


def resnet50(
    g: Graph, side: int, width: int, blocks: tuple[int, ...], classes: int, batch: int = 1
) -> onnx.ModelProto:
    x = g.input("input", (batch, 3, side, side))
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
    return g.model("resnet50", g.gemm(x, inside, classes), (batch, classes))


def squeezenet(g: Graph, side: int, divide: int, classes: int, batch: int = 1) -> onnx.ModelProto:
    """SqueezeNet 1.1: fire modules (squeeze, expand), pooling that rounds up."""
    ceiling = {"ceil_mode": 1} if g.opset >= 10 else {}
    pool: dict[str, Any] = dict(kernel_shape=[3, 3], strides=[2, 2], **ceiling)
    x = g.input("input", (batch, 3, side, side))
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
    return g.model("squeezenet", g.op("Softmax", x, axis=1), (batch, classes))
