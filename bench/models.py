"""`python -m bench models [NAME[,SIZE=NUMBER...]:TARGET ...]`: whole models, timing only, as shares
of the peak.

The share counts the model's multiply-accumulates, without padding, over what the matrix units of
all live nodes could do in the modelled cycles. Beside it: the share of that time in which the
matrix units work (padding included), in which thread 0 waits, and the busiest link's and port's own
cycles as shares of all. No values are touched.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

from bench.measure import multiply_accumulates
from dojocc.compiler import Options, compile_model
from dojocc.runtime.errors import DojoError
from dojocc.runtime.timing import time_program
from dojocc.zoo import MODELS, build

CASES = ("resnet50,batch=256:d1-training-tile", "bert,batch=64,length=512:d1-training-tile")
MACS = 256


@dataclass(frozen=True)
class Case:
    """A model of the zoo, the sizes that replace its own, and a target."""

    model: str
    changes: tuple[tuple[str, int], ...]
    target: str

    @staticmethod
    def of(text: str) -> Case:
        """Read NAME[,SIZE=NUMBER...][:TARGET]; ValueError says what cannot be read."""
        words, _, target = text.partition(":")
        name, *sizes = words.split(",")
        if name not in MODELS:
            raise ValueError(f"no model is called {name!r}; there are {', '.join(MODELS)}")
        changes = []
        for size in sizes:
            key, sign, number = size.partition("=")
            if not (key and sign and number.isdecimal()):
                raise ValueError(f"{size!r} is not SIZE=NUMBER, as batch=8")
            changes.append((key, int(number)))
        return Case(name, tuple(changes), target or "d1-die")

    def __str__(self) -> str:
        return ",".join([self.model, *(f"{key}={number}" for key, number in self.changes)])


@dataclass(frozen=True)
class Row:
    """What one model takes. `macs`: of the model, without padding."""

    case: Case
    compile_seconds: float
    macs: int
    nodes: int
    cycles: int
    matrix: float
    waits: float
    link: float
    port: float
    list_rows: int

    @property
    def share(self) -> float:
        """Of the peak of all live nodes."""
        return self.macs / (MACS * self.nodes * self.cycles)


def measured(case: Case, size: str = "paper", optimize: int = 3) -> Row:
    """The modelled cycles of one model."""
    model = build(case.model, size, **dict(case.changes))
    options = Options(target=case.target, precision="bf16", optimize=optimize)
    macs = multiply_accumulates(model, options)
    start = time.process_time()
    program = compile_model(model, options).program
    seconds = time.process_time() - start
    assert program is not None
    timing = time_program(program)
    ports = max(timing.busiest[name] for name in ("mesh_read", "mesh_write"))
    return Row(
        case,
        seconds,
        macs,
        len(program.target.live_nodes()),
        timing.cycles,
        timing.utilization["matrix"],
        timing.waits,
        timing.busiest["links"] / timing.cycles,
        ports / timing.cycles,
        len(program.lists),
    )


def as_markdown(rows: list[Row], failures: list[str]) -> str:
    lines = [
        "| model | target | compile s (processor) | list rows | cycles | share of peak"
        " | matrix units work | thread 0 waits | busiest link | busiest port |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = (row.share, row.matrix, row.waits, row.link, row.port)
        text = " | ".join(f"{share:.1%}" for share in shares)
        lines.append(
            f"| {row.case} | {row.case.target} | {row.compile_seconds:.1f} | {row.list_rows:,}"
            f" | {row.cycles:,} | {text} |"
        )
    return "\n".join([*lines, *failures])


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench models", description=__doc__)
    parser.add_argument("cases", nargs="*", default=CASES, metavar="NAME[,SIZE=NUMBER]:TARGET")
    parser.add_argument("--size", choices=("paper", "tiny"), default="paper")
    parser.add_argument("--optimize", type=int, default=3)
    options = parser.parse_args(words)
    try:
        cases = [Case.of(text) for text in options.cases]
    except ValueError as error:
        parser.error(str(error))
    rows: list[Row] = []
    failures: list[str] = []
    for case in cases:
        print(f"bench: {case} on {case.target}", file=sys.stderr)
        try:
            rows.append(measured(case, options.size, options.optimize))
        except DojoError as error:
            failures.append(f"| {case} | {case.target} | failed: {error.what}: {error.numbers} |")
    print(as_markdown(rows, failures))
    return 1 if failures else 0
