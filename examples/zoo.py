"""Models in ONNX form with seeded random weights, for tests, benchmarks and trying things out.

    python examples/zoo.py resnet50 -o resnet50.onnx
    python examples/zoo.py bert --set batch=8 length=64 -o bert.onnx

`build(name, size, opset, seed, **changes)` gives a ModelProto (transformers need opset 9 for
Erf), `changes` being sizes that differ from the named size's; `inputs(model, seed)` gives random
inputs for it.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import onnx
from onnx import TensorProto

from dojocc.zoo_graph import Graph
from dojocc.zoo_networks import bert, gpt, lenet, mlp, resnet50, squeezenet, transformer, vit

ENCODER = {
    "paper": {"length": 128, "width": 768, "heads": 12},
    "tiny": {"length": 8, "width": 32, "heads": 4},
}
DECODER = {
    size: ENCODER[size] | {"words": words} for size, words in (("paper", 8192), ("tiny", 50))
}
IMAGE_TOKENS = {
    "paper": {"side": 224, "patch": 16, "width": 768, "heads": 12, "layers": 12, "classes": 1000},
    "tiny": {"side": 24, "patch": 8, "width": 32, "heads": 4, "layers": 2, "classes": 10},
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
    "gpt2": (
        gpt,
        {
            "paper": ENCODER["paper"] | {"words": 50257, "layers": 12},
            "tiny": DECODER["tiny"] | {"layers": 2},
        },
    ),
    "bert": (
        bert,
        {
            "paper": ENCODER["paper"] | {"words": 30522, "layers": 12},
            "tiny": DECODER["tiny"] | {"layers": 2},
        },
    ),
    "vit": (vit, IMAGE_TOKENS),
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


def build(
    name: str, size: str = "paper", opset: int = 17, seed: int = 0, **changes: int
) -> onnx.ModelProto:
    """The network `name`; `changes` replace single sizes, as batch=8."""
    function, sizes = MODELS[name]
    return function(Graph(opset, seed), **(sizes[size] | changes))


def inputs(model: onnx.ModelProto, seed: int = 0) -> dict[str, np.ndarray]:
    """Normal values for floats; for token ids, numbers below the embedding table's height."""
    random = np.random.default_rng(seed)
    height = min(
        (w.dims[0] for w in model.graph.initializer if w.name.startswith("words")), default=1
    )
    result = {}
    for value in model.graph.input:
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if value.name == "attention_mask":  # the last eighth of every sequence is padding
            result[value.name] = np.ones(shape, np.int64)
            result[value.name][:, shape[1] - shape[1] // 8 :] = 0
        elif value.type.tensor_type.elem_type == TensorProto.INT64:
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
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=NUMBER", help="other sizes, as batch=8"
    )
    options = parser.parse_args()
    changes = {name: int(value) for name, value in (each.split("=", 1) for each in options.set)}
    model = build(options.model, options.size, options.opset, options.seed, **changes)
    onnx.checker.check_model(model)
    path = options.output or f"{options.model}.onnx"
    onnx.save(model, path)
    print(
        f"{path}: {len(model.graph.node)} nodes, {model.ByteSize() / 1e6:.1f} MB", file=sys.stderr
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
