"""What JAX itself gives: the files are what it prints, and exported functions compile."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="JAX is not installed: pip install 'dojocc[jax]'")

from jax import export  # noqa: E402  # pyright: ignore[reportMissingImports]
from stablehlo_cases import CASES, FOLDER, results  # noqa: E402

import dojocc  # noqa: E402
from dojocc.dialects.context import DojoContext  # noqa: E402
from dojocc.dialects.interpret_nn import run_nn  # noqa: E402
from dojocc.frontends.read import read_model  # noqa: E402


def test_every_case_has_its_files() -> None:
    names = {path.name.split(".")[0] for path in FOLDER.glob("*.mlir")}
    assert names == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_exported(name: str) -> None:
    """With the names and places that an export has."""
    function, inputs = CASES[name]
    context = DojoContext()
    module = read_model(export.export(jax.jit(function))(*inputs), context)
    found = run_nn(context, module, list(inputs))
    for result, want in zip(found.values(), results(name), strict=True):
        scale = max(float(np.abs(want).max()), 1e-3)
        np.testing.assert_allclose(result, want, atol=3e-6 * scale, rtol=3e-6)


def network(parameters, x):
    """A small convolution net."""
    x = jax.lax.conv_general_dilated(
        x, parameters["conv"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    x = jax.nn.relu(x).mean((1, 2))
    return {"logits": x @ parameters["dense"]}


def test_exported_function_compiles() -> None:
    rng = np.random.default_rng(0)
    parameters = {
        "conv": rng.standard_normal((3, 3, 3, 8)).astype(np.float32),
        "dense": rng.standard_normal((8, 5)).astype(np.float32),
    }
    x = rng.standard_normal((2, 8, 8, 3)).astype(np.float32)
    for model in (
        export.export(jax.jit(network))(parameters, x),
        jax.jit(network).lower(parameters, x),
    ):
        session = dojocc.Session(dojocc.compile(model, precision="fp32"))
        assert [row.name for row in session.get_inputs()] == [
            "parameters.conv", "parameters.dense", "x",
        ]  # fmt: skip
        feeds = {f"parameters.{key}": value for key, value in parameters.items()} | {"x": x}
        (found,) = session.run(["logits"], feeds)
        np.testing.assert_allclose(found, network(parameters, x)["logits"], rtol=1e-5, atol=1e-5)
