"""`python -m bench gemm [SIZE:TARGET ...]`: square BF16 products, modelled, as shares of the peak.

The peak is that of all live nodes. The share is printed with the factors it is made of: grid (nodes
that the layout uses), blocks (work that is not padding), kernel (products a cycle while kernels
run), overlap (cycles in kernels, the rest being transfers that nothing hides). Timing touches no
values; one smaller product of the same kind is run and compared with NumPy.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from dojocc.compiler import Options, compile_model
from dojocc.runtime.errors import DojoError
from dojocc.runtime.formats import decode, encode
from dojocc.runtime.program import Program
from dojocc.runtime.timing import time_program
from dojocc.session import Session

CASES = ("4096:d1-die", "8192:d1-die", "8192:d1-training-tile")
CHECK = 2560
"""Its panels do not fit a node of a die either."""
BOUND = 1e-5
MACS = 256
FACTORS = ("grid", "blocks", "kernel", "overlap")


@dataclass(frozen=True)
class Row:
    """Cycles of one product, and the factors of its share of the peak."""

    size: int
    target: str
    cycles: int
    grid: float
    blocks: float
    kernel: float
    overlap: float

    @property
    def share(self) -> float:
        return self.grid * self.blocks * self.kernel * self.overlap

    @property
    def bound(self) -> str:
        """The factor that costs most."""
        return min(FACTORS, key=lambda name: getattr(self, name))


def product(size: int) -> onnx.ModelProto:
    """c = a b, all size x size."""

    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [size, size])

    node = helper.make_node("MatMul", ["a", "b"], ["c"], name="product")
    graph = helper.make_graph([node], "gemm", [value("a"), value("b")], [value("c")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def compiled(size: int, target: str) -> Program:
    program = compile_model(
        product(size), Options(target=target, precision="bf16", optimize=3)
    ).program
    assert program is not None
    return program


def measured(size: int, target: str) -> Row:
    """The modelled cycles of one product."""
    program = compiled(size, target)
    timing = time_program(program)
    products = sum(timing.counters.instructions.get(name, 0) for name in ("mmac", "mmact"))
    inside = sum(cycles for name, cycles in timing.by_op.items() if name.startswith("dot_general"))
    used = len(program.classes[0].nodes)
    return Row(
        size,
        target,
        timing.cycles,
        used / len(program.target.live_nodes()),
        size**3 / (products * MACS),
        products / used / inside,
        inside / timing.cycles,
    )


def relative_error(size: int, target: str) -> float:
    """A run's values against NumPy's product of the rounded operands in FP64."""
    random = np.random.default_rng(size)
    arrays = {name: random.standard_normal((size, size), np.float32) for name in "ab"}
    (found,) = Session(compiled(size, target)).run(None, arrays)
    a, b = (decode(encode(array, "BF16"), "BF16").astype(np.float64) for array in arrays.values())
    wanted = a @ b
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def as_markdown(rows: list[Row], failures: list[str]) -> str:
    lines = [
        f"| size | target | cycles | share of peak | {' | '.join(FACTORS)} | bound by |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        factors = " | ".join(f"{getattr(row, name):.3f}" for name in FACTORS)
        lines.append(
            f"| {row.size} | {row.target} | {row.cycles:,} | {row.share:.1%} | {factors}"
            f" | {row.bound} |"
        )
    return "\n".join([*lines, *failures])


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench gemm", description=__doc__)
    parser.add_argument("cases", nargs="*", default=CASES, metavar="SIZE:TARGET")
    parser.add_argument("--check", type=int, default=CHECK, help="size whose values are compared")
    parser.add_argument("--check-target", default="d1-die")
    options = parser.parse_args(words)
    rows: list[Row] = []
    failures: list[str] = []
    for case in options.cases:
        size, _, target = case.partition(":")
        print(f"bench: gemm {case}", file=sys.stderr)
        try:
            rows.append(measured(int(size), target or "d1-die"))
        except DojoError as error:
            failures.append(f"| {size} | {target} | failed: {error.what}: {error.numbers} |")
    error = relative_error(options.check, options.check_target)
    print(as_markdown(rows, failures))
    print(f"\nvalues of {options.check} on {options.check_target}: relative error {error:.1e}")
    return 1 if failures or error > BOUND else 0
