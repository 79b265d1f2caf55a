"""`python -m bench.opinfo`: PyTorch's own samples of its operators through instruction streams.

For every operator of PyTorch's OpInfo table that knows FP32, the first samples (forward):
exported, imported, compiled for a small machine and run; the outputs are held to PyTorch's. A
sample *agrees*, is *refused* (a typed error), *left out* (PyTorch itself cannot export or run it,
it gives no tensor, or random numbers), *wrong* or *crashed*. Needs PyTorch with expecttest.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch.testing._internal.common_methods_invocations import (  # pyright: ignore
    op_db,
)
from torch.utils._pytree import tree_flatten, tree_unflatten  # pyright: ignore

from dojocc.dialects.context import DojoContext
from dojocc.dialects.function import input_names, main_function
from dojocc.dialects.interpret_nn import run_nn
from dojocc.frontends.torch import import_torch
from dojocc.frontends.torch.export import export_module
from dojocc.options import Options
from dojocc.reducing_checks import failure_of, place_of
from dojocc.runtime.errors import DojoError, InputError

STATUSES = ("agrees", "refused", "left out", "wrong", "crashed")
TARGET = Path(__file__).parents[1] / "tests" / "targets" / "tiny.toml"
ERROR = 1e-4
SECONDS = 20
LARGEST = 20_000
RANDOM = (
    "dropout",
    "bernoulli",
    "rand",
    "normal",
    "multinomial",
    "uniform",
    "exponential",
    "cauchy",
    "geometric",
    "rrelu",
    "empty",
    "fractional",
    "log_normal",
    "svd_lowrank",
    "pca_lowrank",
)


@dataclass(frozen=True)
class Outcome:
    """What came of one sample."""

    op: str
    sample: int
    status: str
    detail: str = ""


class TimeIsUp(BaseException):
    """Not an Exception, so that nothing between swallows it."""


class Sample(torch.nn.Module):
    """One call of an operator: its tensors are inputs, all else is fixed."""

    def __init__(self, op: Any, leaves: list[Any], spec: Any) -> None:
        super().__init__()
        self.op, self.spec = op, spec
        self.fixed = [None if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        self.places = [n for n, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]

    def forward(self, *tensors: Any) -> Any:
        leaves = list(self.fixed)
        for place, tensor in zip(self.places, tensors, strict=True):
            leaves[place] = tensor
        args, keywords = tree_unflatten(leaves, self.spec)
        return self.op(*args, **keywords)


def operators() -> Iterator[Any]:
    """The rows of the table that know FP32 on a processor, each name once a variant."""
    for row in op_db:
        if row.supports_dtype(torch.float32, "cpu"):
            yield row


def name_of(row: Any) -> str:
    return f"{row.name}.{row.variant_test_name}" if row.variant_test_name else row.name


def outcomes(rows: Iterable[Any], samples: int) -> Iterator[Outcome]:
    def time_is_up(number: int, frame: object) -> None:
        raise TimeIsUp

    signal.signal(signal.SIGALRM, time_is_up)
    for row in rows:
        name = name_of(row)
        if any(word in name for word in RANDOM):
            yield Outcome(name, 0, "left out", "random numbers, or numbers never set")
            continue
        signal.alarm(4 * SECONDS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.manual_seed(0)
                found = list(islice(row.sample_inputs("cpu", torch.float32), samples))
        except (Exception, TimeIsUp) as error:
            yield Outcome(name, 0, "left out", f"no samples: {type(error).__name__}")
            continue
        finally:
            signal.alarm(0)
        for number, sample in enumerate(found):
            signal.alarm(SECONDS)
            try:
                status, detail = judged(row, sample)
            except TimeIsUp:
                status, detail = "crashed", "over the time limit"
            except Exception as error:
                status, detail = "crashed", f"{place_of(error)}: {error}"
            finally:
                signal.alarm(0)
            yield Outcome(name, number, status, detail)


def judged(row: Any, sample: Any) -> tuple[str, str]:
    leaves, spec = tree_flatten(((sample.input, *sample.args), dict(sample.kwargs)))
    tensors = [leaf.detach() for leaf in leaves if isinstance(leaf, torch.Tensor)]
    if any(each.is_complex() or each.is_sparse for each in tensors) or any(
        each.numel() > LARGEST for each in tensors
    ):
        return "left out", "complex, sparse or large inputs"
    module = Sample(row.op, leaves, spec)
    try:
        with torch.no_grad():
            wanted, _ = tree_flatten(module(*[each.clone() for each in tensors]))
    except Exception as error:
        return "left out", f"PyTorch does not run it: {type(error).__name__}"
    if not wanted or not all(isinstance(each, torch.Tensor) for each in wanted):
        return "left out", "gives no tensors"
    if any(each.is_complex() or each.is_sparse for each in wanted):
        return "left out", "complex or sparse results"
    context = DojoContext()
    try:
        graph = export_module(module, tensors, name=row.name)
        imported = import_torch(graph, context)
    except InputError as error:
        cannot = "cannot export" in error.what
        return ("left out" if cannot else "refused"), f"{error.what} ({error.where})"
    return compiled(imported, context, tensors, wanted)


def compiled(module: Any, context: DojoContext, tensors: list[Any], wanted: list[Any]) -> Any:
    """Streams held to the references, and those to PyTorch."""
    names = input_names(main_function(module))
    inputs = dict(zip(names, map(lanes, tensors), strict=True))
    try:
        found = run_nn(context, module, inputs)
    except DojoError as error:
        return "refused", error.what
    for array, want in zip(found.values(), wanted, strict=True):
        text = difference(array, lanes(want))
        if text:
            return "wrong", text
    failure = failure_of(module, context, Options(str(TARGET), "fp32"), inputs=inputs)
    if failure is None:
        return "agrees", ""
    status = {"refused": "refused", "internal": "crashed", "numbers": "wrong"}[failure.sort]
    return status, failure.place


def lanes(value: Any) -> np.ndarray:
    """A tensor as the machine's lanes hold it."""
    array = value.detach().float().numpy() if value.is_floating_point() else value.numpy()
    return array.astype(np.int32) if array.dtype.kind in "iu" else array


def difference(found: np.ndarray, want: np.ndarray) -> str:
    if found.shape != want.shape:
        return f"shape {found.shape}, not {want.shape}"
    if want.dtype.kind != "f":
        return "" if np.array_equal(found, want) else "other whole numbers"
    finite = np.isfinite(want)
    if not np.array_equal(found[~finite], want[~finite], equal_nan=True):
        return "not finite elsewhere"
    rest = np.linalg.norm(found[finite].astype(np.float64) - want[finite])
    size = float(np.linalg.norm(want[finite].astype(np.float64)))
    return "" if rest <= ERROR * max(size, 1e-3) else f"{rest:.1e} off of {size:.1e}"


def matrix(rows: list[Outcome]) -> str:
    """The counts by operator, as a page."""
    counts = Counter(row.status for row in rows)
    by_op: dict[str, list[Outcome]] = defaultdict(list)
    for row in rows:
        by_op[row.op].append(row)
    full = sum(all(row.status == "agrees" for row in group) for group in by_op.values())
    lines = [
        "# PyTorch operators, as PyTorch's own samples find them",
        "",
        "Written by `python -m bench.opinfo --matrix docs/torch-support.md` from the OpInfo table",
        "of `torch.testing._internal`: the first FP32 samples of each operator, forward, exported,",
        "compiled for a small machine and run; outputs within 1e-4 (relative L2) of PyTorch's.",
        "",
        "| samples | agree | refused | left out | wrong | crashed |",
        "|---|---|---|---|---|---|",
        f"| {len(rows)} | " + " | ".join(str(counts[status]) for status in STATUSES) + " |",
        "",
        f"All samples agree of {full} of {len(by_op)} operators. *Left out*: PyTorch cannot export",
        "or run the sample itself, it is complex or sparse, or it asks for random numbers.",
        "",
        "| operator | agree | not, and why |",
        "|---|---|---|",
    ]
    for name, group in sorted(by_op.items()):
        good = sum(row.status == "agrees" for row in group)
        reasons = dict.fromkeys(
            f"{row.status}: {row.detail[:110]}" for row in group if row.status != "agrees"
        )
        text = "; ".join(reasons).replace("|", "/").replace("\n", " ")
        lines.append(f"| {name} | {good} of {len(group)} | {text} |")
    return "\n".join(lines) + "\n"


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=2, help="at most, of each operator")
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--to", dest="last", type=int, default=None)
    parser.add_argument("--lines", help="a file to append outcomes to as JSON")
    parser.add_argument("--matrix", help="the page to write; with --lines from that file")
    options = parser.parse_args(words)
    begun, rows = time.process_time(), []
    if options.matrix and options.lines:
        texts = Path(options.lines).read_text().splitlines()
        rows = [Outcome(**json.loads(text)) for text in texts]
    else:
        chosen = islice(operators(), options.first, options.last)
        for row in outcomes(chosen, options.samples):
            rows.append(row)
            if options.lines:
                with open(options.lines, "a") as file:
                    file.write(json.dumps(asdict(row)) + "\n")
    counts = Counter(row.status for row in rows)
    print(dict(counts), f"{time.process_time() - begun:.0f} s", file=sys.stderr)
    if options.matrix:
        Path(options.matrix).write_text(matrix(rows))
    return 1 if counts["wrong"] or counts["crashed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
