"""`python -m bench models [NAME[,SIZE=NUMBER...]:TARGET ...]`: whole models, timing only, as shares
of the peak.

The share counts the model's multiply-accumulates, without padding, over what the matrix units of
all live nodes could do in the modelled cycles. Beside it: the share of that time in which the
matrix units work (padding included), in which thread 0 waits, and the busiest link's and port's own
cycles as shares of all. Under each row stand the ops that take the most cycles, with those of them
in which they wait for what they read. Rows are printed as they come. No values are touched.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

from bench.measure import multiply_accumulates
from dojocc.compiler import Options, compile_model
from dojocc.runtime.errors import DojoError
from dojocc.runtime.timing import TimingResult, time_program
from dojocc.zoo import MODELS, build

LISTED = 6
"""Ops that are named for each model."""
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
    heaviest: tuple[tuple[str, int, int], ...] = ()
    """Ops with their cycles and what of them they wait."""

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
        heaviest(timing),
    )


def heaviest(timing: TimingResult) -> tuple[tuple[str, int, int], ...]:
    """The ops that take most of the latest node's thread 0."""
    names = sorted(timing.by_op, key=lambda name: -timing.by_op[name])[:LISTED]
    return tuple((name, timing.by_op[name], timing.by_op_waits.get(name, 0)) for name in names)


HEADER = (
    "| model | target | compile s (processor) | list rows | cycles | share of peak"
    " | matrix units work | thread 0 waits | busiest link | busiest port |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def as_markdown(row: Row) -> str:
    """A row of the table."""
    shares = (row.share, row.matrix, row.waits, row.link, row.port)
    text = " | ".join(f"{share:.1%}" for share in shares)
    return (
        f"| {row.case} | {row.case.target} | {row.compile_seconds:.1f} | {row.list_rows:,}"
        f" | {row.cycles:,} | {text} |"
    )


def as_text(row: Row) -> str:
    """What takes the time of a row."""
    lines = [
        f"  {name}: {cycles:,} cycles ({cycles / row.cycles:.1%}), {waits:,} of them waiting"
        for name, cycles, waits in row.heaviest
    ]
    return "\n".join([f"{row.case}, the ops that take most:", *lines])


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
    failed = False
    print(HEADER, flush=True)
    for case in cases:
        print(f"bench: {case} on {case.target}", file=sys.stderr)
        try:
            rows.append(measured(case, options.size, options.optimize))
            print(as_markdown(rows[-1]), flush=True)
        except DojoError as error:
            failed = True
            print(f"| {case} | {case.target} | failed: {error.what}: {error.numbers} |", flush=True)
    for row in rows:
        print(as_text(row))
    return int(failed)
