"""A convolutional network trained here and in PyTorch, from the same weights and batches."""

from __future__ import annotations

import numpy as np
import pytest

import dojocc

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'dojocc[torch]'")

BATCH, STEPS = 32, 100
RELATIVE = 1e-3


def network():  # noqa: ANN201
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.GELU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def data() -> tuple[np.ndarray, np.ndarray]:
    """Ten drawn figures, with noise."""
    random = np.random.default_rng(0)
    figures, labels = random.standard_normal((10, 1, 8, 8)), random.integers(0, 10, 256)
    noise = 0.7 * random.standard_normal((256, 1, 8, 8))
    return (figures[labels] + noise).astype(np.float32), labels


def test_loss_curve_weights_and_statistics_are_pytorchs() -> None:
    net = network().eval()
    example = (torch.zeros(BATCH, 1, 8, 8),)
    trainer = dojocc.Trainer(
        net, 0.02, 1, optimizer="adamw", decay=0.01, clip=5.0, example_inputs=example
    )
    optimizer = torch.optim.AdamW(net.train().parameters(), lr=0.02, weight_decay=0.01)
    images, labels = data()
    batches = trainer.batches({"input": images, "labels": labels}, True)
    found, expected = [], []
    for _ in range(STEPS):
        batch = next(batches)
        found.append(trainer.step(batch)["loss"])
        optimizer.zero_grad()
        given = net(torch.tensor(batch["input"]))
        loss = torch.nn.functional.cross_entropy(given, torch.tensor(batch["labels"]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        expected.append(loss.item())
    np.testing.assert_allclose(found, expected, rtol=RELATIVE)
    assert expected[-1] < 0.1 * expected[0]
    held = net.state_dict()
    for name, array in trainer.weights.items():
        if name in ("0.bias", "1.running_mean"):
            continue  # what a batch norm takes away again has no gradient but rounding
        np.testing.assert_allclose(array, held[name].numpy(), atol=1e-3)
