"""Training by instruction streams against an MLP written out in NumPy, in double precision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from safetensors.numpy import load_file

import dojocc
from dojocc import zoo
from dojocc.runtime.errors import UsageError
from dojocc.runtime.verify import verify
from dojocc.training.rates import Schedule

SAMPLES, WIDTH, CLASSES = 48, 20, 10
STEPS = 100


def data(seed: int = 5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.standard_normal((SAMPLES, WIDTH)).astype(np.float32)
    labels = (x @ random.standard_normal((WIDTH, CLASSES))).argmax(1)
    return {"input": x, "labels": labels}


def model() -> onnx.ModelProto:
    return zoo.build("mlp", "tiny", seed=1)


def weights(of: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {w.name: numpy_helper.to_array(w) for w in of.graph.initializer}


class Reference:
    """Three layers with ReLU, cross entropy, and an optimizer: float64, nothing of this package."""

    def __init__(self, rate: float, adam: bool) -> None:
        self.p = {name: array.astype(np.float64) for name, array in weights(model()).items()}
        self.rate, self.adam, self.number = rate, adam, 0
        self.first = {name: np.zeros_like(array) for name, array in self.p.items()}
        self.second = {name: np.zeros_like(array) for name, array in self.p.items()}

    def step(self, batch: dict[str, np.ndarray]) -> float:
        p, x, labels = self.p, batch["input"].astype(np.float64), batch["labels"]
        inputs = [x]
        for layer in range(3):
            y = inputs[-1] @ p[f"weight_{layer}"].T + p[f"bias_{layer}"]
            inputs.append(np.maximum(y, 0) if layer < 2 else y)
        shares = np.exp(inputs[-1] - inputs[-1].max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        rows = np.arange(len(labels))
        loss = -np.log(shares[rows, labels]).mean()
        up = shares.copy()
        up[rows, labels] -= 1
        up /= len(labels)
        gradients = {}
        for layer in (2, 1, 0):
            gradients[f"weight_{layer}"] = up.T @ inputs[layer]
            gradients[f"bias_{layer}"] = up.sum(0)
            up = up @ p[f"weight_{layer}"] * (inputs[layer] > 0)
        self.descend(gradients)
        return float(loss)

    def descend(self, gradients: dict[str, np.ndarray]) -> None:
        self.number += 1
        for name, gradient in gradients.items():
            if not self.adam:  # momentum 0.9, decay 0.01
                gradient = gradient + 0.01 * self.p[name]
                self.first[name] = 0.9 * self.first[name] + gradient
                self.p[name] = self.p[name] - self.rate * self.first[name]
                continue
            self.p[name] = self.p[name] * (1 - self.rate * 0.01)
            self.first[name] = 0.9 * self.first[name] + 0.1 * gradient
            self.second[name] = 0.999 * self.second[name] + 0.001 * gradient**2
            first = self.first[name] / (1 - 0.9**self.number)
            second = self.second[name] / (1 - 0.999**self.number)
            self.p[name] = self.p[name] - self.rate * first / (np.sqrt(second) + 1e-8)


@pytest.fixture(scope="module")
def sgd() -> dojocc.Trainer:
    return dojocc.Trainer(model(), rate=0.02, momentum=0.9, decay=0.01, seed=3)


def again(trainer: dojocc.Trainer) -> dojocc.Trainer:
    """The same trainer at its first step, without compiling again."""
    trainer.tensors, trainer.number, trainer.rate = dict(trainer.plan.first), 0, 0.02
    return trainer


def compared(trainer: dojocc.Trainer, reference: Reference) -> None:
    batches = trainer.batches(data(), True)
    losses = []
    for _ in range(STEPS):
        batch = dict(next(batches))
        found, expected = trainer.step(batch)["loss"], reference.step(batch)
        losses.append((found, expected))
    found, expected = np.array(losses).T
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert expected[-12:].mean() < 0.7 * expected[:12].mean()  # it does learn
    for name, array in reference.p.items():
        change = np.abs(array - weights(model())[name]).max()
        assert np.abs(trainer.tensors[name] - array).max() < 2e-3 * change


def test_sgd_with_momentum_and_decay_is_numpys(sgd: dojocc.Trainer) -> None:
    compared(again(sgd), Reference(0.02, adam=False))


def test_adamw_is_numpys() -> None:
    trainer = dojocc.Trainer(model(), rate=0.01, optimizer="adamw", decay=0.01, seed=3)
    compared(trainer, Reference(0.01, adam=True))


def test_both_engines_give_the_same_bits_and_the_program_verifies(sgd: dojocc.Trainer) -> None:
    batch = {name: array[:4] for name, array in data().items()}
    session, found = sgd.session, []
    try:
        for engine in ("vector", "reference"):
            again(sgd).session = dojocc.Session(sgd.plan.program, engine, "exact")
            found.append((sgd.step(batch), sgd.tensors))
    finally:
        sgd.session = session
    (vector, left), (reference, right) = found
    assert vector == reference
    for name, array in left.items():
        np.testing.assert_array_equal(array, right[name])
    assert verify(sgd.plan.program).sound


def test_same_seed_same_bits_and_a_checkpoint_goes_on(sgd: dojocc.Trainer, tmp_path: Path) -> None:
    whole = again(sgd).fit(data(), 30)
    last = dict(sgd.tensors)
    half = again(sgd).fit(data(), 15, checkpoint=tmp_path / "run.safetensors")
    assert half == whole[:15]
    again(sgd).restore(tmp_path / "run.safetensors")
    assert sgd.number == 15
    assert sgd.fit(data(), 30) == whole[15:]
    for name, array in last.items():
        np.testing.assert_array_equal(sgd.tensors[name], array)


def test_batches_from_an_iterable_go_on_too(sgd: dojocc.Trainer) -> None:
    rows = data()
    batches = [{n: a[i * 4 : i * 4 + 4] for n, a in rows.items()} for i in range(6)]
    whole = again(sgd).fit(batches, 6)
    again(sgd).fit(batches, 2)
    assert sgd.fit(batches, 6) == whole[2:]
    assert again(sgd).fit(iter(batches[:3]), 6)[-1]["step"] == 3


def test_metrics_of_a_run_that_goes_on_stand_once(sgd: dojocc.Trainer, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    again(sgd).fit(data(), 5, metrics=path, checkpoint=tmp_path / "a.safetensors")
    path.open("a").write('{"step": 6, "loss": 1.0}\n{"step": 7, "lo')  # then it was killed
    sgd.restore(tmp_path / "a.safetensors")
    sgd.fit(data(), 8, metrics=path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 9))
    assert rows[6]["cycles"] == sgd.cycles > 0
    assert rows[6]["samples_per_second"] == pytest.approx(4 / sgd.timing.seconds_modelled)


def test_trained_weights_go_back_into_the_model(sgd: dojocc.Trainer, tmp_path: Path) -> None:
    again(sgd).fit(data(), 3)
    sgd.export(tmp_path / "w.safetensors")
    sgd.export(tmp_path / "m.onnx")
    held = load_file(tmp_path / "w.safetensors")
    back = weights(onnx.load(tmp_path / "m.onnx"))
    assert set(held) == set(back) == set(weights(model()))
    for name, array in held.items():
        np.testing.assert_array_equal(array, back[name])
        assert np.abs(array - weights(model())[name]).max() > 0


def test_clipped_norm_is_reported_and_bounds_the_step() -> None:
    trainer = dojocc.Trainer(model(), rate=1.0, clip=0.25)
    found = trainer.step({name: array[:4] for name, array in data().items()})
    moved = sum(float(((trainer.tensors[n] - a) ** 2).sum()) for n, a in weights(model()).items())
    assert found["gradient norm"] > 0.25
    assert np.sqrt(moved) == pytest.approx(0.25, rel=1e-4)


def test_frozen_weights_stay(tmp_path: Path) -> None:
    trainer = dojocc.Trainer(model(), rate=0.1, frozen=("weight_*",))
    trainer.step({name: array[:4] for name, array in data().items()})
    assert sorted(trainer.weights) == ["bias_0", "bias_1", "bias_2"]


def test_bf16_keeps_masters_in_fp32() -> None:
    """A change far below BF16's resolution is kept."""
    trainer = dojocc.Trainer(model(), rate=1e-6, precision="bf16")
    trainer.step({name: array[:4] for name, array in data().items()})
    first = weights(model())["weight_0"]
    change = np.abs(trainer.tensors["weight_0"] - first)
    assert 0 < change.max() < 1e-5
    assert (first.view(np.uint32) & 0xFFFF).any()  # masters never were BF16


def test_weights_that_are_inputs() -> None:
    """y = x w of a text model whose weights come in, fitted by least squares."""
    text = b"model line(x: f32[8, 2], w: f32[2, 1]) -> (y: f32[8, 1]) { y = x @ w }"
    random = np.random.default_rng(0)
    x = random.standard_normal((32, 2)).astype(np.float32)
    true = np.array([[2.0], [-1.0]], np.float32)
    first = {"w": np.zeros((2, 1), np.float32)}
    with pytest.raises(UsageError, match="parameter 'w' has no first value"):
        dojocc.Trainer(text, loss="mse", inputs=("w",))
    trainer = dojocc.Trainer(text, 0.1, loss="mse", inputs=("w",), initial=first)
    history = trainer.fit({"x": x, "labels": x @ true}, 60)
    np.testing.assert_allclose(trainer.weights["w"], true, atol=1e-2)
    assert history[-1]["loss"] < 1e-3


@pytest.mark.parametrize(
    ("kind", "rates"),
    [("constant", [0.5, 1, 1, 1]), ("linear", [0.5, 1, 0.5, 0]), ("cosine", [0.5, 1, 0.5, 0])],
)
def test_schedules(kind: str, rates: list[float]) -> None:
    schedule: Any = Schedule(1.0, kind, warmup=2, steps=4)
    assert [schedule(step) for step in range(1, 5)] == pytest.approx(rates)
