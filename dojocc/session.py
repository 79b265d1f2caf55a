"""Session: a program made ready to run again and again, in the shape of ONNX Runtime's sessions."""

from __future__ import annotations

import difflib
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dojocc.fetching import fetched
from dojocc.runtime.engines import RunResult, run
from dojocc.runtime.engines.counters import Counters
from dojocc.runtime.engines.machine import Machine
from dojocc.runtime.errors import InputError, UsageError
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

    def stream(
        self,
        frames: Iterable[Mapping[str, Any] | Any],
        output_names: Sequence[str] | None = None,
        prefetch: int = 2,
    ) -> Generator[list[np.ndarray], None, None]:
        """The outputs of every frame, in order: `run` on each, while the next ones are fetched.

        frames: anything that can be iterated over, a camera that never ends too; each gives the
        inputs by name, or the one input of a program that has one. At most `prefetch` of them
        wait. Fetching ends when the frames do or the generator is closed. InputError
        names the frame, from 0; what fetching raises is raised here, behind the frames before it.
        """
        if prefetch < 1:
            raise UsageError("prefetch must be at least 1", numbers=f"have {prefetch}")
        with closing(fetched(frames, prefetch)) as ready:
            for number, frame in enumerate(ready):
                try:
                    found = self.run(output_names, self._inputs(frame))
                except InputError as error:
                    where = ", ".join(filter(None, (f"frame {number}", error.where)))
                    raise InputError(error.what, where, error.numbers, error.help) from error
                yield found

    def _inputs(self, frame: Mapping[str, Any] | Any) -> dict[str, np.ndarray]:
        """A frame's arrays by name."""
        if not isinstance(frame, Mapping):
            names = [port.name for port in self.program.inputs]
            if len(names) != 1:
                raise InputError(
                    "a frame of a program with several inputs gives them by name",
                    numbers=f"inputs: {', '.join(names) or 'none'}",
                )
            frame = {names[0]: frame}
        return {name: np.asarray(array) for name, array in frame.items()}

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
