"""CFloat training: the same bits whoever draws them, learnt biases, counts, checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import dojocc
from dojocc import zoo
from dojocc.dialects.context import DojoContext
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.printing import parse_module
from dojocc.passes.pipeline import parse_passes, run_pipeline
from dojocc.passes.round_stores import scale_name
from dojocc.training.biases import EVERY, Biases
from dojocc.training.errors import CheckpointError

SMALL = """
func.func @main(%x: tensor<64x96xf32> {nn.name = "x"}) -> tensor<64x96xf32> {
  %y = nn.stored_as %x {tensor = "x", format = "CF8_143", backward = "none", loc = "x"}
    : tensor<64x96xf32>
  func.return %y : tensor<64x96xf32>
}
"""


def trainer(rounding: str = "stochastic", engine: str = "vector") -> dojocc.Trainer:
    model = zoo.build("mlp", "tiny", seed=1)
    return dojocc.Trainer(
        model,
        0.02,
        3,
        engine=engine,
        momentum=0.9,
        precision="cfloat8",
        rounding=rounding,
    )


@pytest.fixture(scope="module")
def stochastic() -> dojocc.Trainer:
    return trainer()


def data() -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    x = random.standard_normal((48, 20)).astype(np.float32)
    return {"input": x, "labels": (x @ random.standard_normal((20, 10))).argmax(1)}


def rounded(rounding: str, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One marked tensor through round-stores, by the reference interpreter."""
    context = DojoContext()
    module = parse_module(context, SMALL)
    passes = parse_passes(f"round-stores{{rounding={rounding}}}")
    run_pipeline(context, module, passes)
    return run_nn(context, module, feeds)


def test_a_scale_is_another_bias() -> None:
    x = np.random.default_rng(0).standard_normal((64, 96)).astype(np.float32)
    found = rounded("nearest", {"x": x, "scale of x": np.array(2**6, np.float32)})
    expected = (x * 64).astype(ml_dtypes.float8_e4m3fn).astype(np.float32) / 64
    np.testing.assert_array_equal(found["result0"], expected)
    assert found["largest of x"] == np.abs(x).max()
    assert found["saturated of x"] == 0
    small = rounded("nearest", {"x": x, "scale of x": np.array(2**-8, np.float32)})
    assert small["rounded to 0 of x"] == (np.abs(x) <= 0.25).sum()
    large = rounded("nearest", {"x": x, "scale of x": np.array(2**9, np.float32)})
    assert large["saturated of x"] == (np.abs(x) > 480 / 512).sum() > 0
    assert np.abs(large["result0"]).max() == np.float32(480 / 512)


def test_stochastic_rounding_is_right_on_average_and_new_each_step() -> None:
    x = np.full((64, 96), 1.03125, np.float32)  # a quarter of the way from 1 to 1.125
    feeds = {"x": x, "scale of x": np.array(1, np.float32)}
    means = []
    for key in (1, 2, 3, -4):
        found = rounded("stochastic", feeds | {"random key": np.array(key, np.int32)})["result0"]
        assert set(np.unique(found)) == {1.0, 1.125}
        means.append(float((found > 1).mean()))
    spread = np.sqrt(0.25 * 0.75 / x.size)
    assert np.abs(np.array(means) - 0.25).max() < 5 * spread
    assert len(set(means)) > 1


def test_training_learns_with_both_roundings(stochastic: dojocc.Trainer) -> None:
    for each in (stochastic, trainer("nearest")):
        history = each.fit(data(), 96)
        losses = [row["loss"] for row in history]
        assert np.mean(losses[-12:]) < 0.2 * np.mean(losses[:12])
        stores = history[-1]["stores"]
        assert {row["format"] for row in stores.values()} == {"CF8_143", "CF8_152"}
        assert stores["weight_0"]["largest"] == pytest.approx(
            np.abs(each.tensors["weight_0"]).max(), rel=0.1
        )
        for row in stores.values():  # learnt: as large as they may be, with room
            top = (480 * 2**7 if row["format"] == "CF8_143" else 114688 * 2**15) / 2 ** row["bias"]
            assert 1 <= top / row["largest"] < 32


def test_engines_and_a_resumed_run_give_the_same_bits(
    stochastic: dojocc.Trainer, tmp_path: Path
) -> None:
    """Across a choice of biases; the other trainer sees the checkpoint only."""
    path = tmp_path / "run.safetensors"
    stochastic.tensors, stochastic.number = dict(stochastic.plan.first), 0
    stochastic.biases = Biases.of(map(scale_name, stochastic.biases.held), "CF8_143", "CF8_152")
    stochastic.fit(data(), EVERY - 2, checkpoint=path)
    batches = stochastic.batches(data(), True)
    first = [stochastic.step(next(batches)) for _ in range(4)]
    ended = dict(stochastic.tensors)
    other = trainer(engine="reference")
    other.restore(path)
    batches = other.batches(data(), True)
    assert [other.step(next(batches)) for _ in range(4)] == first
    for name, array in ended.items():
        np.testing.assert_array_equal(array, other.tensors[name])


def test_checkpoint_of_another_precision(stochastic: dojocc.Trainer, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    stochastic.save(path)
    plain = dojocc.Trainer(zoo.build("mlp", "tiny", seed=1), 0.02, 3, momentum=0.9)
    with pytest.raises(CheckpointError, match="of a run in another precision") as caught:
        plain.restore(path)
    assert "9 rounded tensors there, 0 here" in str(caught.value)
