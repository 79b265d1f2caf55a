"""Train a model: loss, gradients and optimizer are one program, run step after step."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dojocc.cli.choices import add_choices, options_of
from dojocc.cli.run import read_npz
from dojocc.cli.shared import STREAM, add_json, check_output, print_json, progress
from dojocc.passes.differentiate import GIVEN
from dojocc.passes.training.losses import LOSSES
from dojocc.passes.training.optimizers import OPTIMIZERS
from dojocc.runtime.errors import UsageError
from dojocc.runtime.format_table import PRECISIONS
from dojocc.runtime.formats import ROUNDINGS
from dojocc.training.choices import Training
from dojocc.training.precisions import NARROW_PRECISIONS
from dojocc.training.rates import SCHEDULES, Schedule
from dojocc.training.trainer import Trainer

EXAMPLE = """\
dojocc train mlp.onnx --data train.npz --steps 100 --rate 0.1 --export trained.onnx
dojocc train cnn.onnx --data train.npz --epochs 3 --optimizer adamw --rate 1e-3 \\
  --checkpoint run.safetensors --every 50 --resume --metrics run.jsonl"""

PATTERNS = {
    "parameters": "weights to train (all)",
    "frozen": "weights not to train",
    "undecayed": "weights without decay",
}
NUMBERS = ("momentum", "beta1", "beta2", "epsilon", "decay", "clip", "statistics")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model with its first weights")
    parser.add_argument(
        "--data", required=True, metavar="TRAIN.npz", help="the model's inputs by name, and labels"
    )
    parser.add_argument("--loss", default="cross-entropy", choices=(*LOSSES, GIVEN))
    parser.add_argument("--axis", type=int, default=-1, help="dim of the classes (-1)")
    parser.add_argument("--judged", default="", metavar="OUTPUT", help="output in the loss (first)")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--steps", type=int, help="steps in all, those before --resume included")
    length.add_argument("--epochs", type=int, help="times through the data")
    parser.add_argument("--rate", type=float, default=0.01, help="learning rate (0.01)")
    parser.add_argument("--schedule", default="constant", choices=SCHEDULES)
    parser.add_argument("--warmup", type=int, default=0, metavar="STEPS")
    parser.add_argument("--optimizer", default="sgd", choices=tuple(OPTIMIZERS))
    parser.add_argument("--nesterov", action="store_true")
    first = asdict(Training())
    for name in NUMBERS:
        parser.add_argument(f"--{name}", type=float, default=first[name], help=f"({first[name]:g})")
    for name, text in PATTERNS.items():
        parser.add_argument(f"--{name}", nargs="+", metavar="PATTERN", help=text)
    parser.add_argument("--checkpoint", metavar="F.safetensors", help="written at the end")
    parser.add_argument("--every", type=int, default=0, metavar="STEPS", help="and this often")
    parser.add_argument("--resume", action="store_true", help="from the checkpoint, if it is there")
    parser.add_argument("--metrics", metavar="F.jsonl", help="one JSON object a step")
    parser.add_argument("--export", metavar="F", help="trained weights: .safetensors or .onnx")
    parser.add_argument(
        "--rounding", default="nearest", choices=ROUNDINGS, help="of cfloat (nearest)"
    )
    add_choices(parser, (*PRECISIONS, *NARROW_PRECISIONS))
    parser.set_defaults(precision="fp32")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    for path in (arguments.checkpoint, arguments.metrics, arguments.export):
        check_output(path)
    if (arguments.every or arguments.resume) and not arguments.checkpoint:
        raise UsageError("--every and --resume need --checkpoint")
    if arguments.model == STREAM:
        raise UsageError("the model to train is a file", help="it cannot be read from stdin")
    arrays = read_npz(arguments.data)
    precision = arguments.precision
    chosen = options_of(argparse.Namespace(**vars(arguments) | {"precision": "fp32"}))
    fields = {name: getattr(chosen, name) for name in ("target", "shapes", "defects")}
    fields |= {"precision": precision, "optimize": chosen.optimize, "dram": chosen.dram}
    with progress("compiling") as watch:
        trainer = Trainer(
            arguments.model, 0.0, arguments.seed, progress=watch, **fields, **training_of(arguments)
        )
    steps = steps_of(arguments, trainer, arrays)
    trainer.rate = Schedule(arguments.rate, arguments.schedule, arguments.warmup, steps)
    if arguments.resume and Path(arguments.checkpoint).exists():
        trainer.restore(arguments.checkpoint)
        print(f"going on at step {trainer.number}", file=sys.stderr)
    history = trainer.fit(
        arrays,
        steps,
        arguments.checkpoint,
        arguments.every,
        arguments.metrics,
        tell=teller(trainer, steps),
    )
    if arguments.export:
        trainer.export(arguments.export)
    if arguments.json:
        print_json("dojocc.train/1", facts(trainer, history))
    return 0


def training_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of Training that the user set."""
    names = ("loss", "axis", "optimizer", "nesterov", "rounding", *NUMBERS)
    found = {name: getattr(arguments, name) for name in names} | {"output": arguments.judged}
    for name in PATTERNS:
        if getattr(arguments, name) is not None:
            found[name] = tuple(getattr(arguments, name))
    return found


def steps_of(arguments: argparse.Namespace, trainer: Trainer, arrays: dict[str, Any]) -> int:
    """Steps in all."""
    if arguments.steps is not None:
        return arguments.steps
    samples = max((len(array) for array in arrays.values() if array.ndim), default=0)
    return arguments.epochs * (samples // trainer.plan.samples)


def teller(trainer: Trainer, steps: int) -> Callable[[dict[str, Any]], None]:
    """Says on stderr how a run goes: the first step, each tenth part of it, the last."""
    part = max(steps // 10, 1)

    def tell(found: dict[str, Any]) -> None:
        number = found["step"]
        if number == 1 or number == steps or number % part == 0:
            print(
                f"step {number}/{steps}  loss {found['loss']:.5f}  rate {found['rate']:.3g}  "
                f"{trainer.cycles:,} cycles, {trainer.samples_per_second:,.0f} samples/s modelled",
                file=sys.stderr,
            )

    return tell


def facts(trainer: Trainer, history: list[dict[str, Any]]) -> dict[str, Any]:
    """What --json prints."""
    last = history[-1].get("stores", {}) if history else {}
    return {
        "stores": last,
        "steps": trainer.number,
        "loss": history[-1]["loss"] if history else None,
        "first_loss": history[0]["loss"] if history else None,
        "cycles": trainer.cycles,
        "samples_per_second": trainer.samples_per_second,
        "samples": trainer.plan.samples,
        "trained": sorted(row.name for row in trainer.plan.kept if row.role == "parameter"),
    }
