"""Train a small convolutional network on a die, and look at what a step is made of.

    python examples/06_training.py

Ten figures of 8 x 8 pixels are drawn with noise; the network's weights are random. Loss, gradients
and AdamW are one program, compiled once; every number comes from its instruction streams.
"""

from __future__ import annotations

import math

import numpy as np
import onnx

import dojocc
from dojocc.zoo_graph import Graph

BATCH, STEPS = 16, 40


def network() -> onnx.ModelProto:
    """Convolution, batch norm, ReLU, max pool, and a linear layer."""
    graph = Graph(17, seed=0)
    x = graph.input("image", (BATCH, 1, 8, 8))
    x = graph.relu(graph.batch_norm(graph.conv(x, 1, 8, 3, pad=1), 8))
    x = graph.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    logits = graph.gemm(graph.op("Flatten", x, axis=1), 128, 10)
    return graph.model("figures", logits, (BATCH, 10))


def figures(count: int, seed: int) -> dict[str, np.ndarray]:
    """Images with noise, and which figure each shows."""
    shapes = np.random.default_rng(0).standard_normal((10, 1, 8, 8))
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, count)
    noise = 0.7 * random.standard_normal((count, 1, 8, 8))
    return {"image": (shapes[labels] + noise).astype(np.float32), "labels": labels}


def main() -> None:
    trainer = dojocc.Trainer(network(), rate=5e-3, optimizer="adamw", decay=0.01, seed=1)
    kept = [row.name for row in trainer.plan.kept if row.role != "state"]
    print(
        f"a step: {trainer.cycles:,} cycles, {trainer.samples_per_second:,.0f} samples/s modelled"
    )
    print(f"trained or kept: {', '.join(kept)}")

    def tell(found: dict) -> None:
        if found["step"] % 10 == 1 or found["step"] == STEPS:
            print(f"step {found['step']:3}  loss {found['loss']:.4f}")

    history = trainer.fit(figures(256, seed=1), STEPS, tell=tell)
    # An outside reference: a model that knows nothing loses log(10) a sample.
    print(f"guessing loses {math.log(10):.4f}; the last ten steps lose ", end="")
    last = float(np.mean([found["loss"] for found in history[-10:]]))
    print(f"{last:.4f}")
    assert last < 0.5 * math.log(10)


if __name__ == "__main__":
    main()
