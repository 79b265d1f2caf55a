"""`python -m bench onnx`: ONNX's own generated suite through instruction streams, case by case.

Every case of `onnx.backend.test` (node, simple, PyTorch converted and operator; the light models
are in bench/onnx_light.py) is compiled and run by dojocc.onnx_backend in this one process, and
compared with the expectations as ONNX's own runner does it. A case is *passed*, *refused* (a typed
error that says why), *wrong*, *crashed* (any other exception) or *slow* (over the time limit). Of
the passed ones *known* counts those whose results hang on shapes and constants only, so that
nothing was left to run.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import signal
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from bench.onnx_matrix import matrix
from dojocc import onnx_backend
from dojocc.runtime.errors import DojoError

KINDS = ("node", "simple", "pytorch-operator", "pytorch-converted")
STATUSES = ("passed", "refused", "wrong", "crashed", "slow")
EXPANDED = "_expanded"


@dataclass(frozen=True)
class Outcome:
    """What came of one case; `types` and `opset` are the model's, `detail` says why not."""

    name: str
    kind: str
    op: str
    opset: int
    types: tuple[str, ...]
    status: str
    detail: str
    seconds: float
    known: bool = False


class TimeIsUp(BaseException):
    """The limit of one case; not an Exception, so that nothing between swallows it."""


def cases(kinds: Iterable[str], pattern: str = "*") -> Iterator[Any]:
    """The suite's cases of these kinds whose names match a shell pattern."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in kinds:
            yield from (c for c in load_model_tests(kind=kind) if fnmatch.fnmatch(c.name, pattern))


def loaded(case: Any) -> tuple[onnx.ModelProto, list[tuple[list, list]]]:
    """The model and its (inputs, outputs) pairs: in the case itself or in its folder."""
    if case.model is not None:
        return case.model, [(plain(ins), plain(outs)) for ins, outs in case.data_sets]
    folder = Path(case.model_dir)
    model = onnx.load(folder / "model.onnx")
    pairs = []
    for data in sorted(folder.glob("test_data_set_*")):
        rows = (
            protos(data, "input", model.graph.input),
            protos(data, "output", model.graph.output),
        )
        pairs.append(rows)
    return model, pairs


def plain(rows: Iterable[Any]) -> list:
    """Arrays, also where a case holds them as messages."""
    return [numpy_helper.to_array(x) if isinstance(x, TensorProto) else x for x in rows]


def protos(folder: Path, word: str, infos: Iterable[onnx.ValueInfoProto]) -> list:
    count = len(list(folder.glob(f"{word}_*.pb")))
    rows = []
    for number, info in zip(range(count), infos, strict=False):
        content = (folder / f"{word}_{number}.pb").read_bytes()
        if info.type.WhichOneof("value") == "tensor_type":
            rows.append(numpy_helper.to_array(TensorProto.FromString(content)))
        else:
            rows.append([])  # sequences and optionals are refused before they are looked at
    return rows


def main_op(model: onnx.ModelProto, name: str) -> str:
    """The op a case is about: its one node; of an expanded function, the function's name."""
    ops = [node.op_type for node in model.graph.node]
    if EXPANDED in name:
        return "function bodies"
    return ops[0] if len(set(ops)) == 1 else "+".join(sorted(set(ops)))[:60]


def element_types(model: onnx.ModelProto) -> tuple[str, ...]:
    rows = set()
    for value in (*model.graph.input, *model.graph.output):
        if value.type.WhichOneof("value") != "tensor_type":
            rows.add(str(value.type.WhichOneof("value")).removesuffix("_type"))
            continue
        name = TensorProto.DataType.Name(value.type.tensor_type.elem_type)  # pyright: ignore
        rows.add(name.lower())
    return tuple(sorted(rows))


def outcome(case: Any, limit: int = 60, target: str = "d1-die") -> Outcome:
    """Run one case within `limit` seconds."""
    model, pairs = loaded(case)
    opset = max((row.version for row in model.opset_import if not row.domain), default=0)
    start, known = time.perf_counter(), False
    signal.signal(signal.SIGALRM, _time_is_up)
    signal.alarm(limit)
    try:
        ready = onnx_backend.prepare(model, "CPU", target=target)
        for inputs, expected in pairs:
            found = ready.run(inputs)
            Runner.assert_similar_outputs(
                [np.asarray(row) for row in expected], list(found), case.rtol, case.atol
            )
        known = ready.program is not None and not ready.program.inputs
        status, detail = "passed", ""
    except DojoError as error:
        status, detail = "refused", str(error)
    except AssertionError as error:
        status, detail = "wrong", " ".join(str(error).split())[:600]
    except TimeIsUp:
        status, detail = "slow", f"over {limit} s"
    except Exception as error:  # noqa: BLE001  whatever else comes up is what this looks for
        status, detail = "crashed", f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    seconds = time.perf_counter() - start
    op = main_op(model, case.name)
    return Outcome(
        case.name, case.kind, op, opset, element_types(model), status, detail, seconds, known
    )


def _time_is_up(*_: Any) -> None:
    raise TimeIsUp


def summary(rows: list[Outcome]) -> str:
    """Counts by kind, then by op where anything did not pass."""
    lines = []
    for kind in dict.fromkeys(row.kind for row in rows):
        of_kind = [row for row in rows if row.kind == kind]
        counts = Counter(row.status for row in of_kind)
        known = sum(row.known for row in of_kind if row.status == "passed")
        text = ", ".join(f"{counts[status]} {status}" for status in STATUSES)
        seconds = sum(row.seconds for row in of_kind)
        lines.append(f"{kind}: {text} of {len(of_kind)} ({known} known); {seconds:.0f} s")
    by_op: dict[str, Counter] = defaultdict(Counter)
    for row in rows:
        by_op[row.op][row.status] += 1
    for op, counts in sorted(by_op.items(), key=lambda item: item[1]["passed"] - item[1].total()):
        if counts["passed"] < counts.total():
            lines.append(f"  {op}: " + ", ".join(f"{n} {s}" for s, n in counts.items()))
    return "\n".join(lines)


def kept(path: str, rows: list[Outcome]) -> list[Outcome]:
    """The outcomes in a file, those of this run put in or over them, and written back."""
    file, known = Path(path), {}
    if file.exists():
        for row in json.loads(file.read_text()):
            known[row["kind"], row["name"]] = Outcome(**{**row, "types": tuple(row["types"])})
    known.update({(row.kind, row.name): row for row in rows})
    file.write_text(json.dumps([vars(row) for row in known.values()], indent=1))
    return list(known.values())


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench onnx", description=__doc__)
    parser.add_argument("patterns", nargs="*", default=["*"], metavar="PATTERN")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--limit", type=int, default=60, help="seconds a case")
    parser.add_argument("--json", metavar="FILE", help="keep outcomes there, over those it has")
    parser.add_argument("--matrix", metavar="FILE", help="write the support matrix of all outcomes")
    parser.add_argument("-v", "--verbose", action="store_true", help="say why each did not pass")
    options = parser.parse_args(words)
    rows = []
    for pattern in options.patterns:
        for case in cases(options.kind or KINDS[:1], pattern):
            row = outcome(case, options.limit)
            rows.append(row)
            if options.verbose and row.status != "passed":
                print(f"{row.status} {row.name}: {row.detail}", file=sys.stderr)
    print(summary(rows))
    every = kept(options.json, rows) if options.json else rows
    if options.matrix:
        Path(options.matrix).write_text(matrix(every))
    return int(any(row.status in ("wrong", "crashed", "slow") for row in rows))
