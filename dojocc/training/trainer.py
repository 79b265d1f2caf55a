"""Trainer: a model, a loss and an optimizer as one program that is run step after step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from dojocc.compiler import Watch
from dojocc.dialects.function import LOSS, SETTING, STATE
from dojocc.frontends.read import opened
from dojocc.options import Options
from dojocc.passes.descend import RATE, STEP
from dojocc.passes.round_stores import KEY
from dojocc.passes.training.losses import CLASSES
from dojocc.runtime.errors import UsageError
from dojocc.runtime.philox import random_bits
from dojocc.runtime.timing import TimingResult, time_program
from dojocc.session import Session
from dojocc.training.batches import ArrayData, Batch, checked
from dojocc.training.biases import Biases
from dojocc.training.checkpoint import read_checkpoint, write_checkpoint
from dojocc.training.choices import Training
from dojocc.training.errors import CheckpointError, Diverged
from dojocc.training.export import write_onnx, write_weights
from dojocc.training.journal import Journal
from dojocc.training.plan import Plan, make_plan
from dojocc.training.precisions import NARROW_PRECISIONS

Rate = float | Callable[[int], float]
Metrics = dict[str, Any]


class Trainer:
    """Trains a model on the machine; numbers come from the instruction streams alone.

    `model`: as for `dojocc.compile`. `rate`: the learning rate, or a function of the step's number
    (from 1). `options` and `training` say how it is compiled and what is trained; or give their
    fields by name, as in `Trainer(model, rate=1e-3, loss="mse", optimizer="adamw", target="d1-die",
    precision="fp32")`. `initial`: first values of inputs that are parameters (`inputs=`).
    Attributes: `number` (steps done), `tensors` (parameters, buffers and state by name),
    `outputs` (what the model gave in the last step).
    """

    def __init__(
        self,
        model: Any,
        rate: Rate = 0.01,
        seed: int = 0,
        initial: Mapping[str, np.ndarray] | None = None,
        engine: str = "vector",
        mode: str = "fast",
        example_inputs: Any = None,
        progress: Watch | None = None,
        **choices: Any,
    ) -> None:
        self.model = opened(model, example_inputs)
        self.options = options_of(choices, seed)
        self.rate, self.seed = rate, seed
        self.plan: Plan = make_plan(self.model, self.options, initial, progress)
        self.session = Session(self.plan.program, engine, mode)
        self.tensors = dict(self.plan.first)
        self.outputs: dict[str, np.ndarray] = {}
        self.number = 0
        self._read = {port.name for port in self.plan.program.inputs}
        chosen = self.training
        names = (row.name for row in self.plan.inputs if row.role == SETTING)
        self.biases = Biases.of(names, chosen.forward, chosen.backward)

    @property
    def training(self) -> Training:
        assert self.options.training is not None
        return self.options.training

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The model's own tensors: parameters and buffers, not what the optimizer remembers."""
        return {row.name: self.tensors[row.name] for row in self.plan.kept if row.role != STATE}

    @cached_property
    def classes(self) -> int | None:
        """How many classes labels may name, where they are numbers of classes."""
        if self.training.loss not in CLASSES:
            return None
        (labels,) = self.plan.data[-1:]
        rows = [row for row in self.plan.results if row.role is None]
        wanted = [row for row in rows if row.name == self.training.output] or rows[:1]
        if not wanted:  # outputs are not kept: the machine ignores labels out of range
            return None
        axis = self.training.axis % len(wanted[0].shape)
        assert len(labels.shape) == len(wanted[0].shape) - 1
        return wanted[0].shape[axis]

    @cached_property
    def timing(self) -> TimingResult:
        """What the machine's model says of a step."""
        return time_program(self.plan.program)

    @property
    def cycles(self) -> int:
        """Modelled cycles of a step."""
        return self.timing.cycles

    @property
    def samples_per_second(self) -> float:
        """Modelled, without the host's part."""
        return self.plan.samples / self.timing.seconds_modelled

    def rate_of(self, step: int) -> float:
        return self.rate(step) if callable(self.rate) else self.rate

    def step(self, batch: Batch) -> Metrics:
        """One step on one batch: its loss, and the norm of the gradients where they are clipped.

        Raises BadBatch before anything runs, and Diverged with all tensors as they were before.
        """
        number = self.number + 1
        feeds = checked(batch, self.plan.data, self.classes) | self.tensors
        feeds |= {RATE: np.array(self.rate_of(number), np.float32)}
        feeds |= {STEP: np.array(number, np.float32)}
        feeds |= {KEY: random_bits(self.seed, number, KEY, 0, 1).view(np.int32).reshape(())}
        if self.biases.held and not self.biases.learnt:
            self.biases.observe(self.values_of(feeds, number))
            self.biases.choose(0)
        values = self.values_of(feeds, number)
        stores = self.biases.observe(values)
        self.biases.choose(number)
        self.tensors = {name: values.get(name, held) for name, held in self.tensors.items()}
        self.outputs = {row.name: values[row.name] for row in self.plan.results if not row.role}
        self.number = number
        losses = (row.name for row in self.plan.results if row.role == LOSS)
        found = {name: float(values[name]) for name in losses}
        metrics = {"step": number, **found, "rate": float(self.rate_of(number))}
        return metrics | {"stores": stores} if stores else metrics

    def values_of(self, feeds: Mapping[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
        """All results of the step's program, finite."""
        feeds = {**feeds, **self.biases.feeds()}
        names = [row.name for row in self.plan.results]
        inputs = {name: feeds[name] for name in feeds if name in self._read}
        values = dict(zip(names, self.session.run(names, inputs), strict=True))
        self.check_finite(values, number)
        return values

    def check_finite(self, values: Mapping[str, np.ndarray], number: int) -> None:
        """Every number a step gives is finite, or the run ends here."""
        for name, array in values.items():
            bad = ~np.isfinite(array)
            if bad.any():
                others = sum(not np.isfinite(each).all() for each in values.values()) - 1
                raise Diverged(
                    f"training diverged at step {number}",
                    where=f"'{name}' is the first of {others + 1} tensors that are not finite",
                    numbers=f"{int(bad.sum())} of {bad.size} numbers, "
                    f"rate {self.rate_of(number):g}",
                    help="lower the learning rate, clip gradients, or warm up",
                )

    def fit(
        self,
        data: Mapping[str, np.ndarray] | Iterable[Batch],
        steps: int,
        checkpoint: str | Path | None = None,
        every: int = 0,
        metrics: str | Path | None = None,
        shuffle: bool = True,
        tell: Callable[[Metrics], None] | None = None,
    ) -> list[Metrics]:
        """Go on to step `steps` (counted from the first of all): the metrics of each step.

        `data`: arrays by input name (samples along the first dim), or batches, of which those of
        steps that are done already are passed over. A checkpoint is written each `every` steps and
        at the end; `metrics` takes a JSON line a step.
        """
        if every < 0 or steps < 0:
            raise UsageError("steps are counted from 0", numbers=f"steps {steps}, every {every}")
        journal = Journal(metrics, self.number) if metrics else None
        batches = self.batches(data, shuffle)
        history: list[Metrics] = []
        while self.number < steps:
            batch = next(batches, None)
            if batch is None:
                break
            found = self.step(batch)
            history.append(found)
            if journal is not None:
                modelled = {"cycles": self.cycles, "samples_per_second": self.samples_per_second}
                journal.add(found | modelled)
            if tell is not None:
                tell(found)
            if checkpoint and every and self.number % every == 0 and self.number < steps:
                self.save(checkpoint)
        if checkpoint:
            self.save(checkpoint)
        return history

    def batches(
        self, data: Mapping[str, np.ndarray] | Iterable[Batch], shuffle: bool
    ) -> Iterator[Batch]:
        """The batches from the next step on."""
        if isinstance(data, Mapping):
            named: dict[str, np.ndarray] = {str(name): data[name] for name in data}  # pyright: ignore
            arrays = ArrayData(named, self.plan.samples, self.seed, shuffle)
            return arrays.from_step(self.number)
        batches = iter(data)
        for _ in range(self.number):
            next(batches, None)
        return batches

    def save(self, path: str | Path) -> None:
        """A checkpoint: tensors, step and seed."""
        facts = {"step": self.number, "seed": self.seed, "biases": self.biases.facts()}
        write_checkpoint(path, self.tensors, facts)

    def restore(self, path: str | Path) -> None:
        """Go on from a checkpoint of the same model, optimizer and seed."""
        tensors, facts = read_checkpoint(path, self.plan.kept)
        if facts.get("seed") != self.seed:
            raise CheckpointError(
                f"checkpoint {path} is of a run with another seed",
                numbers=f"{facts.get('seed')} there, {self.seed} here",
                help=f"go on with seed {facts.get('seed')}",
            )
        self.restore_biases(path, facts.get("biases", {"learnt": False, "tensors": {}}))
        self.tensors, self.number = tensors, int(facts["step"])

    def restore_biases(self, path: str | Path, facts: Mapping[str, Any]) -> None:
        """The biases of a checkpoint, which must be of the same rounded tensors."""
        there, here = set(facts["tensors"]), set(self.biases.held)
        if there != here:
            raise CheckpointError(
                f"checkpoint {path} is of a run in another precision",
                where=f"'{min(there ^ here)}' is rounded in one and not in the other",
                numbers=f"{len(there)} rounded tensors there, {len(here)} here",
                help="go on with the precision the checkpoint was made with",
            )
        self.biases.restore(facts)

    def export(self, path: str | Path) -> None:
        """The trained weights: as .safetensors, or as .onnx where the model is an ONNX model."""
        if Path(path).suffix == ".onnx":
            if not isinstance(self.model, onnx.ModelProto | str | Path):
                raise UsageError(
                    "only an ONNX model can be exported to .onnx", help="export to .safetensors"
                )
            write_onnx(path, self.model, self.weights)
        else:
            write_weights(path, self.weights)


def options_of(choices: Mapping[str, Any], seed: int) -> Options:
    """Options of the compiler and of training from fields of both by name."""
    known = set(Training.__dataclass_fields__) | set(Options.__dataclass_fields__) - {"training"}
    unknown = sorted(set(choices) - known)
    if unknown:
        raise UsageError(
            f"there is no option {', '.join(unknown)}", help=f"one of {', '.join(sorted(known))}"
        )
    mine: Metrics = {
        name: choices[name] for name in choices if name in Training.__dataclass_fields__
    }
    rest = {name: choices[name] for name in choices if name not in mine}
    if rest.get("precision") in NARROW_PRECISIONS:
        narrow = NARROW_PRECISIONS[rest["precision"]]
        rest["precision"] = narrow.around
        mine = {"forward": narrow.forward, "backward": narrow.backward} | mine
    return Options(**({"precision": "fp32", "seed": seed} | rest), training=Training(**mine))
