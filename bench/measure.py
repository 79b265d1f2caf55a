"""One model measured: seconds, ONNX Runtime's seconds on the same machine, errors, counts."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime

from dojocc.compiler import Options, compile_model
from dojocc.dialects.nn import ConvolutionOp, DotGeneralOp
from dojocc.runtime.program import Program, to_bytes
from dojocc.runtime.timing import time_program
from dojocc.session import Session
from dojocc.zoo import build, inputs

MACS_PER_MMAC = 256


@dataclass(frozen=True)
class Row:
    """What one model gave. `first_run_seconds` and ONNX Runtime's count what a first answer costs:
    the session made and one run; the others are medians of later runs in the same process.
    """

    model: str
    size: str
    precision: str
    compile_seconds: float
    first_run_seconds: float
    run_seconds: float
    onnxruntime_first_seconds: float
    onnxruntime_seconds: float
    relative_error: float
    lifted_share: float
    macs: int
    mmac: int
    instructions: int
    cycles: int | None
    seconds_modelled: float | None
    program_bytes: int
    classes: int
    passes: dict[str, float]

    @property
    def ratio(self) -> float:
        """A later run of ours over one of ONNX Runtime's."""
        return self.run_seconds / self.onnxruntime_seconds

    @property
    def first_ratio(self) -> float:
        """Our first run over ONNX Runtime's, sessions made anew."""
        return self.first_run_seconds / self.onnxruntime_first_seconds

    @property
    def matrix_ratio(self) -> float | None:
        """Multiply-accumulates the matrix unit did, over those of the model: padding included."""
        return self.mmac * MACS_PER_MMAC / self.macs if self.mmac and self.macs else None

    def facts(self) -> dict[str, Any]:
        ratios = {"ratio": self.ratio, "first_ratio": self.first_ratio}
        return asdict(self) | ratios | {"matrix_ratio": self.matrix_ratio}


def measure(name: str, size: str, precision: str, repeats: int = 3, target: str = "d1-die") -> Row:
    """Compile, run `repeats` times after one warm-up, and compare."""
    model = build(name, size)
    given = inputs(model)
    judge_first, judge_seconds, want = judge(model, given, repeats)
    options = Options(target=target, precision=precision)
    compiled = compile_model(model, options)
    program = compiled.program
    assert program is not None
    start = time.perf_counter()
    session = Session(program)
    have = session.run(None, given)
    first = time.perf_counter() - start
    seconds = [run_seconds(session, given) for _ in range(repeats)]
    counters = session.counters
    assert counters is not None
    timing = time_program(program)
    return Row(
        model=name,
        size=size,
        precision=precision,
        compile_seconds=compiled.seconds,
        first_run_seconds=first,
        run_seconds=statistics.median(seconds),
        onnxruntime_first_seconds=judge_first,
        onnxruntime_seconds=judge_seconds,
        relative_error=max(relative_error(a, b) for a, b in zip(have, want, strict=True)),
        lifted_share=counters.lifted_share,
        macs=multiply_accumulates(model, options),
        mmac=sum(counters.instructions.get(each, 0) for each in ("mmac", "mmact")),
        instructions=counters.total,
        cycles=timing.cycles,
        seconds_modelled=timing.seconds_modelled,
        program_bytes=program_size(program),
        classes=len(program.classes),
        passes=compiled.passes,
    )


def judge(
    model: onnx.ModelProto, given: dict[str, np.ndarray], repeats: int
) -> tuple[float, float, list[np.ndarray]]:
    """ONNX Runtime's seconds for a session and its first run, its median seconds for a later run,
    and its outputs.
    """
    file = model.SerializeToString()
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    outputs = session.run(None, given)
    first = time.perf_counter() - start
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        session.run(None, given)
        seconds.append(time.perf_counter() - start)
    return first, statistics.median(seconds), [np.asarray(each) for each in outputs]


def run_seconds(session: Session, given: dict[str, np.ndarray]) -> float:
    session.run(None, given)
    return session.seconds


def multiply_accumulates(model: onnx.ModelProto, options: Options) -> int:
    """Of the model's convolutions and matrix products, without padding."""
    module = compile_model(model, options, stop_at="nn").module
    flops = sum(
        op.cost().flops for op in module.walk() if isinstance(op, ConvolutionOp | DotGeneralOp)
    )
    return flops // 2


def program_size(program: Program) -> int:
    return len(to_bytes(program))


def relative_error(have: np.ndarray, want: np.ndarray) -> float:
    want64 = np.asarray(want, np.float64)
    scale = float(np.linalg.norm(want64)) or 1.0
    return float(np.linalg.norm(np.asarray(have, np.float64) - want64)) / scale
