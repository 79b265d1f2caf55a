"""Session: a program made ready to run again and again, in the shape of ONNX Runtime's sessions."""

from __future__ import annotations

import difflib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dojocc.runtime.engines import RunResult, run
from dojocc.runtime.engines.counters import Counters
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.errors import InputError
from dojocc.runtime.program import Port, Program, load
from dojocc.threads import one_blas_thread

TYPE_NAMES = {
    "float32": "tensor(float)",
    "float64": "tensor(double)",
    "float16": "tensor(float16)",
    "int64": "tensor(int64)",
    "int32": "tensor(int32)",
    "int16": "tensor(int16)",
    "int8": "tensor(int8)",
    "uint8": "tensor(uint8)",
    "bool": "tensor(bool)",
}


@dataclass(frozen=True)
class Argument:
    """An input or output: its name, its shape, and its type in ONNX Runtime's spelling."""

    name: str
    shape: tuple[int, ...]
    type: str


class Session:
    """Runs one program; the machine's memory is kept between runs.

    `engine` is "vector" or "reference"; `mode` is "exact" (FP32 sums in the machine's order) or
    "fast" (in any order).
    """

    def __init__(
        self, program: Program | str | Path, engine: str = "vector", mode: str = "fast"
    ) -> None:
        self.program = program if isinstance(program, Program) else load(program)
        self.engine, self.mode = engine, mode
        self.seconds = 0.0
        self.counters: Counters | None = None
        self._machine: Machine | None = None

    def get_inputs(self) -> list[Argument]:
        return [argument(port) for port in self.program.inputs]

    def get_outputs(self) -> list[Argument]:
        return [argument(port) for port in self.program.outputs]

    def run(
        self, output_names: Sequence[str] | None, inputs: Mapping[str, Any]
    ) -> list[np.ndarray]:
        """The outputs named (None: all, in the model's order).

        `seconds` and `counters` then say how long the run took and what was executed.
        """
        known = [port.name for port in self.program.outputs]
        wanted = known if output_names is None else list(output_names)
        for name in wanted:
            if name not in known:
                raise unknown_output(name, known)
        result = self._run({name: np.asarray(array) for name, array in inputs.items()})
        return [result.outputs[name] for name in wanted]

    def _run(self, inputs: dict[str, np.ndarray]) -> RunResult:
        if self._machine is None:
            self._machine = Machine(self.program)
        machine, self._machine = (
            self._machine,
            None,
        )  # a run that stops leaves nothing to go on with
        start = time.perf_counter()
        try:
            with one_blas_thread():
                result = run(self.program, inputs, self.engine, self.mode, machine=machine)
        except InputError:
            self._machine = machine  # refused before it began
            raise
        self.seconds = time.perf_counter() - start
        self.counters = result.counters
        self._machine = machine
        return result


def argument(port: Port) -> Argument:
    return Argument(
        port.name, tuple(port.shape), TYPE_NAMES.get(port.dtype, f"tensor({port.dtype})")
    )


def unknown_output(name: str, known: Sequence[str]) -> InputError:
    near = difflib.get_close_matches(name, known, 1, 0.5)
    return InputError(
        f"the program has no output {name!r}",
        numbers=f"outputs: {', '.join(known) or 'none'}",
        help=f"did you mean {near[0]!r}?" if near else None,
    )
