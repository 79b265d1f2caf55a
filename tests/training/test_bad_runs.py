"""What must not be trained on, and runs that break: each says what, where, and loses nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

import dojocc
from dojocc import zoo
from dojocc.cli.main import main
from dojocc.runtime import files
from dojocc.runtime.errors import DojoError, InputError, UsageError
from dojocc.training import checkpoint
from dojocc.training.errors import BadBatch, CheckpointError, Diverged
from dojocc.training.rates import Schedule


@pytest.fixture(scope="module")
def trainer() -> dojocc.Trainer:
    return dojocc.Trainer(zoo.build("mlp", "tiny", seed=1), rate=0.1)


def batch() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {"input": random.standard_normal((4, 20), np.float32), "labels": np.array([3, 1, 4, 1])}


def refused(trainer: dojocc.Trainer, **changes: np.ndarray) -> str:
    """The words; nothing may have moved."""
    before, number = trainer.tensors, trainer.number
    with pytest.raises(DojoError) as caught:
        trainer.step(batch() | changes)
    assert trainer.tensors is before and trainer.number == number
    return str(caught.value)


def test_label_that_is_no_class(trainer: dojocc.Trainer) -> None:
    words = refused(trainer, labels=np.array([3, 1, 10, -1]))
    assert "'labels' holds 10, which is no class" in words
    assert "sample 2 of the batch" in words
    assert "classes are 0 to 9; 2 of 4 are not" in words


def test_data_that_are_not_finite(trainer: dojocc.Trainer) -> None:
    x = batch()["input"].copy()
    x[3, 7], x[2, 5] = np.nan, np.inf
    words = refused(trainer, input=x)
    assert "input 'input' has numbers that are not finite" in words
    assert "sample 2 of the batch, element 5" in words
    assert "2 in 2 of 4 samples" in words


def test_a_bad_sample_is_named_by_its_number_in_the_data(trainer: dojocc.Trainer) -> None:
    """Shuffled: its place in the batch is another."""
    x = np.random.default_rng(0).standard_normal((4, 20)).astype(np.float32)
    labels = np.array([3, 1, 4, 1])
    for bad in range(4):
        with pytest.raises(BadBatch, match=rf"\(sample {bad} of the data\)"):
            trainer.fit({"input": x, "labels": np.where(np.arange(4) == bad, 99, labels)}, 9)
        holed = x.copy()
        holed[bad, 2] = np.nan
        with pytest.raises(BadBatch, match=rf"\(sample {bad} of the data\), element 2"):
            trainer.fit({"input": holed, "labels": labels}, 9)


def test_batches_of_another_form(trainer: dojocc.Trainer) -> None:
    assert "need [4, 20], have [3, 20]" in refused(trainer, input=batch()["input"][:3])
    assert "unknown: weight" in refused(trainer, weight=np.zeros(4))
    assert "holds no whole numbers" in refused(trainer, labels=np.zeros(4))
    assert "holds no numbers" in refused(trainer, input=np.full((4, 20), "a"))
    with pytest.raises(BadBatch, match="missing: labels"):
        trainer.step({"input": batch()["input"]})


def test_loss_that_diverges_names_step_and_tensor(trainer: dojocc.Trainer) -> None:
    trainer.rate = 1e30
    before = dict(trainer.tensors)
    try:
        with pytest.raises(Diverged) as caught:
            trainer.fit([batch()] * 9, trainer.number + 9)
    finally:
        number = trainer.number
        trainer.rate, trainer.number, trainer.tensors = 0.1, 0, before
    words = str(caught.value)
    assert f"training diverged at step {number + 1}" in words
    assert "is the first of" in words and "rate 1e+30" in words
    assert "lower the learning rate" in words


def test_data_of_different_lengths(trainer: dojocc.Trainer) -> None:
    with pytest.raises(InputError, match="different numbers of samples") as caught:
        trainer.fit({"input": np.zeros((8, 20)), "labels": np.zeros(7, int)}, 1)
    assert "input 8, labels 7" in str(caught.value)
    with pytest.raises(InputError, match="the data are less than a batch"):
        trainer.fit({"input": np.zeros((3, 20)), "labels": np.zeros(3, int)}, 1)


def test_checkpoint_of_another_model(trainer: dojocc.Trainer, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    other = dict(trainer.tensors) | {"weight_1": np.zeros((16, 25), np.float32)}
    checkpoint.write_checkpoint(path, other, {"step": 1, "seed": 0})
    with pytest.raises(CheckpointError, match="tensor 'weight_1' of checkpoint") as caught:
        trainer.restore(path)
    assert "the step needs [16, 24], the checkpoint has [16, 25]" in str(caught.value)
    del other["weight_1"]
    checkpoint.write_checkpoint(path, other, {"step": 1, "seed": 0})
    with pytest.raises(CheckpointError, match="does not hold tensor 'weight_1'"):
        trainer.restore(path)
    more = dict(trainer.tensors) | {"first moment of weight_1": np.zeros(3, np.float32)}
    checkpoint.write_checkpoint(path, more, {"step": 1, "seed": 0})
    with pytest.raises(CheckpointError, match="holds tensors the step has not"):
        trainer.restore(path)
    checkpoint.write_checkpoint(path, trainer.tensors, {"step": 1, "seed": 9})
    with pytest.raises(CheckpointError, match="is of a run with another seed"):
        trainer.restore(path)
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot read checkpoint"):
        trainer.restore(path)
    trainer.export(path)
    with pytest.raises(CheckpointError, match="is no checkpoint of this version"):
        trainer.restore(path)


def test_full_disk_leaves_the_old_checkpoint(
    trainer: dojocc.Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.safetensors"
    trainer.save(path)
    before = path.read_bytes()

    def full(*names: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(InputError, match="cannot write") as caught:
        trainer.save(path)
    assert "No space left on device" in str(caught.value)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["run.safetensors"]


def test_wrong_options() -> None:
    model = zoo.build("mlp", "tiny", seed=1)
    with pytest.raises(UsageError, match="there is no option speed"):
        dojocc.Trainer(model, speed=3)
    with pytest.raises(UsageError, match="the output has no dim 5 of classes"):
        dojocc.Trainer(model, axis=5)
    with pytest.raises(UsageError, match="the model has no output 'logits'"):
        dojocc.Trainer(model, output="logits")
    with pytest.raises(UsageError, match="nothing is trained"):
        dojocc.Trainer(model, frozen=("*",))
    with pytest.raises(UsageError, match="'stochastic' is of values in narrow formats"):
        dojocc.Trainer(model, precision="bf16", rounding="stochastic")
    with pytest.raises(UsageError, match="there is no schedule"):
        Schedule(1.0, "sudden")
    with pytest.raises(UsageError, match="needs more steps than its warm-up"):
        Schedule(1.0, "cosine", 5, 5)


def files_of(folder: Path) -> list[str]:
    """A model and data for the command, written to a folder."""
    onnx.save(zoo.build("mlp", "tiny", seed=1), folder / "mlp.onnx")
    random = np.random.default_rng(0)
    x = random.standard_normal((32, 20)).astype(np.float32)
    np.savez(folder / "train.npz", input=x, labels=np.abs(x[:, :10]).argmax(1))
    return ["train", str(folder / "mlp.onnx"), "--data", str(folder / "train.npz")]


def test_killed_and_resumed_is_the_whole_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*files_of(tmp_path), "--optimizer", "adamw", "--rate", "0.01", "--steps", "24"]
    assert main([*words, "--export", str(tmp_path / "whole.safetensors")]) == 0
    assert "step 24/24  loss" in capsys.readouterr().err
    saved = tmp_path / "run.safetensors"
    words += ["--checkpoint", str(saved), "--every", "2", "--resume"]
    command = [sys.executable, "-m", "dojocc.cli.main", *words]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not saved.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert saved.exists()
    assert main([*words, "--export", str(tmp_path / "again.safetensors"), "--json"]) == 0
    assert "going on at step" in capsys.readouterr().err
    again = (tmp_path / "again.safetensors").read_bytes()
    assert again == (tmp_path / "whole.safetensors").read_bytes()


def test_command_refuses_before_it_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*files_of(tmp_path), "--steps", "1"]
    assert main([*words, "--resume"]) == 2
    assert "--every and --resume need --checkpoint" in capsys.readouterr().err
    assert main([*words, "--export", str(tmp_path / "none" / "w.safetensors")]) == 1
    assert "there is no such folder" in capsys.readouterr().err
