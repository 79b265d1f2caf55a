"""Every ATen op that has a handler, against PyTorch."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'dojocc[torch]'")

from torch_layer_cases import CASES  # noqa: E402
from torch_run import check  # noqa: E402

from dojocc.frontends.torch.creation import CHECKS  # noqa: E402
from dojocc.frontends.torch.node import HANDLERS  # noqa: E402

REFUSED = {"rand", "randn", "rand_like", "randn_like", "randint", "randint_like", "bernoulli"}
"""Random numbers: refused by name."""
GONE = {"alias", "detach"}
"""Ops that PyTorch takes out of most graphs."""
ROWS = [
    pytest.param(name, *row, id=f"{name}-{number}")
    for name, rows in CASES.items()
    for number, row in enumerate(rows)
]


@pytest.mark.parametrize("name, function, inputs", ROWS)
def test_op(name: str, function, inputs) -> None:
    graph = check(function, inputs)
    assert f"aten.{name}" in {node.op for node in graph.nodes} or name in GONE


def test_every_handler_has_a_case() -> None:
    names = {name.removeprefix("aten.") for name in HANDLERS}
    assert names - set(CASES) - REFUSED == set(CHECKS)
