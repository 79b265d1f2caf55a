"""Random graphs over every op of the registry compile, and their streams give the right numbers.

`streams == the fused module's reference, bit for bit`, and near the imported module's as far as
rounding explains. A failure is shrunk before it is shown.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from registry_graphs import LEFT_OUT, graph_of
from registry_makers import MAKERS

from dojocc.dialects.op import NN_OPS
from dojocc.dialects.printing import print_module
from dojocc.dialects.verify import verify_module
from dojocc.options import Options
from dojocc.reducing import reduced
from dojocc.reducing_checks import failure_of

TARGETS = Path(__file__).parents[1] / "targets"
MACHINES = ("tiny", "tiny-holes", "tiny-row")
LEVELS = (2, 3, 2, 0, 1)
QUICK, ALL, SLICE = 50, 2000, 50


def options_of(seed: int) -> Options:
    return Options(
        target=TARGETS / f"{MACHINES[seed % 3]}.toml",
        precision="bf16" if seed % 2 else "fp32",
        optimize=LEVELS[seed % 5],
    )


def shrunk(seed: int) -> str | None:
    """What is wrong with the graph of a seed, and the smallest that is wrong alike."""
    options = options_of(seed)
    graph = graph_of(seed, rounds=options.precision == "bf16")

    def trusted(name: str) -> bool:
        return graph.trusted.get(name, False)

    def check(module, inputs=None):
        return failure_of(module, graph.context, options, "compare", inputs, trusted)

    with np.errstate(all="ignore"):
        found = check(graph.module, graph.inputs)
        if found is None:
            return None
        again = check(graph.module)  # with inputs that go by name and shape, which can shrink
        small = graph.module
        if found.same(again):
            small = reduced(small, graph.context, lambda module: found.same(check(module)))
    return f"seed {seed}: {found.place}\n{found.text}\n{print_module(small)}"


def test_every_op_is_generated_or_named_with_a_reason() -> None:
    assert set(MAKERS) | set(LEFT_OUT) == set(NN_OPS)
    assert not set(MAKERS) & set(LEFT_OUT)
    assert all(len(reason) > 20 for reason in LEFT_OUT.values())


@pytest.mark.parametrize("name", MAKERS)
def test_graphs_begin_with_any_op(name: str) -> None:
    graph = graph_of(3, only=name)
    verify_module(graph.module)
    assert name in graph.ops


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(seed, marks=[] if seed < QUICK else pytest.mark.slow)
        for seed in range(0, ALL, SLICE)
    ],
)
def test_random_graphs_agree_with_the_reference(first: int) -> None:
    wrong = [text for seed in range(first, first + SLICE) if (text := shrunk(seed))]
    assert not wrong, "\n\n".join(wrong)
