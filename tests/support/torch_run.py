"""Running a PyTorch function through the import, and comparing it with PyTorch. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from dojocc.dialects.context import DojoContext
from dojocc.dialects.interpret_nn import run_nn
from dojocc.frontends.torch import import_torch
from dojocc.frontends.torch.export import export_module


class Call(torch.nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def lanes(value: Any) -> np.ndarray:
    """A tensor as the machine's lanes hold it."""
    array = value.detach().float().numpy() if value.is_floating_point() else value.numpy()
    return array.astype(np.int32) if array.dtype.kind in "iu" else array


def leaves(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [leaf for each in value for leaf in leaves(each)]
    return [value]


def imported(module: Any, inputs: Sequence[Any]) -> tuple[Any, dict[str, np.ndarray]]:
    """(the graph, results at the nn level)."""
    graph = export_module(module, inputs)
    context = DojoContext()
    module = import_torch(graph, context)
    return graph, run_nn(context, module, [lanes(each) for each in inputs])


def assert_close(found: np.ndarray, wanted: Any, error: float = 1e-5) -> None:
    """Equal where integers, else close by the norm; NaN and infinity in the same places."""
    want = lanes(wanted)
    assert found.shape == want.shape
    if want.dtype.kind != "f":
        np.testing.assert_array_equal(found, want)
        return
    finite = np.isfinite(want)
    np.testing.assert_array_equal(found[~finite], want[~finite])
    rest = np.linalg.norm(found[finite].astype(np.float64) - want[finite])
    assert rest <= error * max(float(np.linalg.norm(want[finite])), 1e-3)


def check(function: Callable[..., Any], inputs: Sequence[Any], error: float = 1e-5) -> Any:
    """Compare with PyTorch; gives the graph."""
    module = function if isinstance(function, torch.nn.Module) else Call(function)
    with torch.no_grad():
        wanted = leaves(module(*inputs))
    graph, found = imported(module, inputs)
    for result, want in zip(found.values(), wanted, strict=True):
        assert_close(result, want, error)
    return graph
