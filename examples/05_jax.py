"""A JAX function on Dojo: exported, compiled, and held to JAX's own results.

    python examples/05_jax.py

Needs JAX. A recurrent network, a scan over time, reads what a convolution sees of each frame.
Look at: the names of inputs, which are the paths in the function's arguments; and the scan, which
becomes plain streams since its number of steps is known.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import dojocc
from dojocc.frontends.optional import framework
from dojocc.runtime.errors import UsageError

BOUNDS = {"fp32": 1e-5, "bf16": 2e-2}


def weights(rng: np.random.Generator) -> dict[str, np.ndarray]:
    shapes = {"see": (3, 3, 3, 8), "in": (8, 16), "state": (16, 16), "out": (16, 4)}
    return {
        name: (rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32)
        for name, shape in shapes.items()
    }


def network(jax: Any) -> Any:
    def run(weights: Any, frames: Any) -> Any:
        """frames [time, batch, height, width, 3] to scores of the last step and all states."""
        dims = ("NHWC", "HWIO", "NHWC")

        def step(state: Any, frame: Any) -> Any:
            seen = jax.lax.conv_general_dilated(
                frame, weights["see"], (2, 2), "SAME", dimension_numbers=dims
            )
            seen = jax.nn.relu(seen).mean((1, 2))
            state = jax.numpy.tanh(seen @ weights["in"] + state @ weights["state"])
            return state, state

        start = jax.numpy.zeros((frames.shape[1], 16), frames.dtype)
        last, states = jax.lax.scan(step, start, frames)
        return {"scores": jax.nn.softmax(last @ weights["out"]), "states": states}

    return jax.jit(run)


def main() -> int:
    try:
        jax = framework("jax", "this example")
    except UsageError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    rng = np.random.default_rng(0)
    held, frames = weights(rng), rng.standard_normal((5, 2, 8, 8, 3)).astype(np.float32)
    function = network(jax)
    exported = framework("jax.export", "this example").export(function)(held, frames)
    wanted = function(held, frames)
    for precision, bound in BOUNDS.items():
        session = dojocc.Session(dojocc.compile(exported, precision=precision))
        feeds = {f"weights.{name}": array for name, array in held.items()} | {"frames": frames}
        print(f"{precision}: inputs {', '.join(row.name for row in session.get_inputs())}")
        names = [row.name for row in session.get_outputs()]
        for name, found in zip(names, session.run(names, feeds), strict=True):
            want = np.asarray(wanted[name], np.float64)
            far = float(np.linalg.norm(found - want) / np.linalg.norm(want))
            print(f"{precision}: {name} {list(found.shape)}, {far:.1e} from JAX")
            assert far < bound
    return 0


if __name__ == "__main__":
    sys.exit(main())
