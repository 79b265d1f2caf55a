"""`python -m bench compile [MODEL ...]`: seconds to compile for a die, a training tile, the wafer.

Compile time should hardly grow with the number of nodes: nodes that run the same streams are
compiled once. Each compile is in this process, after one small one that loads what all need; the
best of `--repeats` counts, and writing the file is in it. A Markdown table, or JSON with --json; a
model that a target does not hold is a cell that says so.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dojocc.compiler import Compilation, Options, compile_model
from dojocc.runtime.errors import DoesNotFit
from dojocc.runtime.program import to_bytes
from dojocc.zoo import MODELS, build

SCHEMA = "dojocc.bench.compile/1"
TARGETS = ("d1-die", "d1-training-tile", "d2-wafer")
CHOSEN = ("resnet50", "bert", "vit")
WARM_UP = "lenet"


@dataclass(frozen=True)
class Row:
    """Seconds of one model by target, in the order asked for; None where it does not fit.

    `passes`: seconds of each pass by target; `write` is that of the program file.
    """

    model: str
    size: str
    seconds: dict[str, float | None]
    passes: dict[str, dict[str, float]] = field(default_factory=dict)

    def ratio(self, target: str) -> float | None:
        """Seconds over those on the first target."""
        first, seconds = next(iter(self.seconds.values())), self.seconds[target]
        return seconds / first if first and seconds is not None else None

    def facts(self) -> dict[str, Any]:
        return asdict(self) | {"ratios": {target: self.ratio(target) for target in self.seconds}}


def measured(name: str, size: str, targets: Sequence[str], repeats: int = 1) -> Row:
    """Compile one model for each target."""
    content = build(name, size).SerializeToString()
    seconds: dict[str, float | None] = {}
    passes: dict[str, dict[str, float]] = {}
    for target in targets:
        try:
            tries = [compiled(content, target) for _ in range(repeats)]
        except DoesNotFit:
            seconds[target] = None
            continue
        seconds[target], passes[target] = min(tries, key=lambda each: each[0])
    return Row(name, size, seconds, passes)


def compiled(content: bytes, target: str) -> tuple[float, dict[str, float]]:
    """(seconds, seconds by pass) from the model's bytes to those of the program file."""
    begun = time.perf_counter()
    found: Compilation = compile_model(content, Options(target=target))
    assert found.program is not None
    written = time.perf_counter()
    to_bytes(found.program)
    end = time.perf_counter()
    return end - begun, found.passes | {"write": end - written}


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps({"schema": SCHEMA, "rows": [row.facts() for row in rows]}, indent=2)


def as_markdown(rows: Sequence[Row], targets: Sequence[str]) -> str:
    others = targets[1:]
    heads = [*(f"{target} s" for target in targets), *(f"{other} ratio" for other in others)]
    lines = [f"| model | {' | '.join([*heads, 'most time'])} |", "|---" * (len(heads) + 2) + "|"]
    for row in rows:
        cells = [_number(row.seconds[target], "does not fit") for target in targets]
        cells += [_number(row.ratio(other), "-") for other in others]
        lines.append(f"| {row.model} ({row.size}) | {' | '.join(cells)} | {longest(row)} |")
    return "\n".join(lines)


def _number(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:.2f}"


def longest(row: Row) -> str:
    """The pass that takes longest on the last target that holds the model."""
    if not row.passes:
        return "-"
    target, passes = list(row.passes.items())[-1]
    name = max(passes, key=lambda each: passes[each])
    return f"{name}, {passes[name]:.2f} s on {target}"


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench compile", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(MODELS))
    parser.add_argument("--size", choices=("paper", "tiny"), default="paper")
    parser.add_argument("--targets", nargs="+", default=TARGETS, metavar="TARGET")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    unknown = sorted(set(options.models) - set(MODELS))
    if unknown:
        parser.error(f"no model is called {unknown[0]}; there are {', '.join(MODELS)}")
    measured(WARM_UP, "tiny", options.targets[:1])
    rows: list[Row] = []
    for name in options.models or CHOSEN:
        print(f"bench: compile {name} ({options.size})", file=sys.stderr)
        rows.append(measured(name, options.size, options.targets, options.repeats))
    print(as_json(rows) if options.json else as_markdown(rows, options.targets))
    return 0
