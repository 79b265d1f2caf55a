"""The programs of tests/programs: text models whose weights and inputs are made from a seed, and
their run at every level.

Lines `#: NAME in LOW..HIGH` of a program give an input or weight its range (whole numbers for
i32), `#: slow` leaves it to `./dojo test --all`, `#: holes` adds the target with dead nodes,
`#: lifted SHARE` says how much of the work in loops is lifted at least where it is not 0.99.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod, sqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import numpy as np
from safetensors.numpy import save_file
from xdsl.dialects.builtin import ModuleOp

from dojocc.dialects.context import DojoContext
from dojocc.dialects.interpret_mesh import run_mesh
from dojocc.dialects.interpret_nn import run_nn
from dojocc.dialects.interpret_tile import run_tile
from dojocc.dialects.numerics import MACHINE, PLAIN
from dojocc.frontends.text import parse_text
from dojocc.passes.base import Pass
from dojocc.passes.emit import emit_program
from dojocc.passes.pipeline import PIPELINE, default_passes, run_pipeline
from dojocc.runtime.engines import run
from dojocc.runtime.engines.counters import Counters
from dojocc.runtime.program import Program
from dojocc.runtime.targets import load_target

FOLDER = Path(__file__).parents[1] / "programs"
TARGETS = Path(__file__).parents[1] / "targets"
WEIGHT_FILE = "weights.safetensors"

TYPE = r"(?P<element>f32|i32|i1)(?:\[(?P<sizes>[\d, ]*)\])?"
WEIGHT = re.compile(rf'\w+\s*:\s*{TYPE}\s*=\s*weight\s+"(?P<name>[^"]+)"')
INPUT = re.compile(rf"(?P<name>\w+)\s*:\s*{TYPE}")
RANGE = re.compile(r"^#: (\S+) in (\S+)\.\.(\S+)$", re.MULTILINE)

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Source:
    """One program: its text, and the arrays that go with it."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def text(self) -> str:
        return self.path.read_text()

    def has(self, word: str) -> bool:
        return f"#: {word}\n" in self.text

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        return {name: (float(low), float(high)) for name, low, high in RANGE.findall(self.text)}

    @property
    def lifted(self) -> float:
        found = re.search(r"^#: lifted (\S+)$", self.text, re.MULTILINE)
        return float(found[1]) if found else 0.99

    def weights(self) -> Arrays:
        return {row["name"]: self.array(row, True) for row in WEIGHT.finditer(self.text)}

    def inputs(self) -> Arrays:
        header = self.text[self.text.index("model ") : self.text.index("->")]
        return {row["name"]: self.array(row, False) for row in INPUT.finditer(header)}

    def array(self, row: re.Match[str], weight: bool) -> np.ndarray:
        """Normal numbers, of a weight divided by the root of what is summed; or even in a range."""
        name = row["name"]
        shape = tuple(int(size) for size in (row["sizes"] or "").split(",") if size.strip())
        random = np.random.default_rng(crc32(f"{self.name}/{name}".encode()))
        low, high = self.ranges.get(name, (0, 0))
        if row["element"] == "i32":
            assert name in self.ranges, f"{self.name}: give i32 {name} a range"
            return random.integers(int(low), int(high) + 1, shape).astype(np.int32)
        if row["element"] == "i1":
            return random.random(shape) < 0.5
        if name in self.ranges:
            return random.uniform(low, high, shape).astype(np.float32)
        scale = 1.0
        if weight and len(shape) > 1:
            scale = 1 / sqrt(shape[0] if len(shape) == 2 else prod(shape[1:]))
        return (random.standard_normal(shape) * scale).astype(np.float32)

    def read(self, context: DojoContext) -> ModuleOp:
        with TemporaryDirectory() as folder:
            save_file(self.weights() or {"none": np.zeros(1)}, Path(folder) / WEIGHT_FILE)
            return parse_text(self.text, context, str(self.path.name), Path(folder))


@dataclass(frozen=True, eq=False)
class Stage:
    """A module and the context it is run in."""

    context: DojoContext
    module: ModuleOp

    @staticmethod
    def of(context: DojoContext, module: ModuleOp) -> Stage:
        return Stage(DojoContext(resources=dict(context.resources)), module.clone())


@dataclass(frozen=True, eq=False)
class Lowered:
    """One program at every level. A module's constants stay with it: later passes drop those they
    no longer need."""

    imported: Stage
    fused: Stage
    mesh: Stage
    tile: Stage
    disa: Stage
    program: Program
    inputs: Arrays

    def plain(self) -> Arrays:
        return run_nn(self.imported.context, self.imported.module, self.inputs, PLAIN)

    def machine_order(self) -> Arrays:
        return run_nn(self.fused.context, self.fused.module, self.inputs, MACHINE)

    def on_mesh(self) -> Arrays:
        return run_mesh(self.mesh.context, self.mesh.module, self.inputs, MACHINE)

    def on_tiles(self) -> Arrays:
        return run_tile(self.tile.module, self.inputs, self.tile.context.resources).outputs

    def engine(self, engine: str, mode: str) -> tuple[Arrays, Counters]:
        result = run(self.program, self.inputs, engine, mode)
        return result.outputs, result.counters


def lower(source: Source, precision: str, target: str) -> Lowered:
    """A program of the folder on a target of tests/targets, a copy kept at each level."""
    context = DojoContext(target=load_target(TARGETS / f"{target}.toml"))
    return lower_module(context, source.read(context), source.inputs(), precision)


def lower_module(
    context: DojoContext,
    module: ModuleOp,
    inputs: Arrays,
    precision: str,
    options: dict[str, dict[str, object]] | None = None,
) -> Lowered:
    """Compile; a copy of the module is kept at the end of each level. `options` by pass name."""
    stages = {"imported": Stage.of(context, module)}
    passes = default_passes(PIPELINE, {"precision": {"to": precision}, **(options or {})})
    ends = iter(ends_of_levels(passes))

    def keep(_: object, module: ModuleOp) -> None:
        name = next(ends)
        if name is not None:
            stages[name] = Stage.of(context, module)

    run_pipeline(context, module, passes, keep)
    program = emit_program(context, module)
    return Lowered(program=program, inputs=inputs, **stages)


def ends_of_levels(passes: Sequence[Pass]) -> list[str | None]:
    """For each pass the level that ends with it, if one does."""
    levels, form = [], "nn"
    for each in passes:
        form = each.form_after(form)
        levels.append("fused" if form == "nn-fused" else form)
    return [
        here if here != after and here in ("fused", "mesh", "tile", "disa") else None
        for here, after in zip(levels, [*levels[1:], None], strict=True)
    ]


@cache
def sources() -> tuple[Source, ...]:
    return tuple(Source(path) for path in sorted(FOLDER.glob("*.dojotext")))


def relative_error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Relative L2 of the finite elements; the others must be equal, else it is infinite."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    assert found.shape == wanted.shape, f"shapes {found.shape} and {wanted.shape}"
    finite = np.isfinite(wanted)
    if not np.array_equal(found[~finite], wanted[~finite], equal_nan=True):
        return float("inf")
    found, wanted = found[finite], wanted[finite]
    size = float(np.linalg.norm(wanted))
    return float(np.linalg.norm(found - wanted)) / (size or 1.0)


def assert_near(found: Mapping, wanted: Mapping, bound: float, what: str) -> None:
    assert found.keys() == wanted.keys(), what
    for name, array in wanted.items():
        error = relative_error(found[name], array)
        assert error <= bound, f"{what}: {name} is {error:.2e} off, at most {bound:.0e} allowed"


def assert_same(found: Mapping, wanted: Mapping, what: str) -> None:
    """Bit for bit, but for the sign of zero and which NaN."""
    assert found.keys() == wanted.keys(), what
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=f"{what}: {name}")
