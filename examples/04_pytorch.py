"""A PyTorch module on Dojo: compiled from the module, and through torch.compile.

    python examples/04_pytorch.py

Needs PyTorch. The network is an encoder of a picture and of words that attends from one to the
other. Look at: the names of inputs and results, which are those of the module; how far the results
are from PyTorch's; and the module that an error names.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import dojocc
from dojocc.frontends.optional import framework
from dojocc.runtime.errors import UnsupportedError, UsageError

BOUNDS = {"fp32": 1e-5, "bf16": 2e-2}


def network(torch: Any) -> tuple[Any, tuple[Any, ...]]:
    nn = torch.nn

    class Caption(nn.Module):
        """Patches of a picture are keys and values, tokens are queries."""

        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 32, 8, 8)
            self.tokens = nn.Embedding(100, 32)
            layer = nn.TransformerDecoderLayer(32, 4, 64, 0.0, "gelu", batch_first=True)
            self.decoder = nn.TransformerDecoder(layer, 2)
            self.logits = nn.Linear(32, 100)

        def forward(self, image: Any, ids: Any) -> dict[str, Any]:
            seen = self.patches(image).flatten(2).transpose(1, 2)
            words = self.decoder(self.tokens(ids), seen)
            return {"logits": self.logits(words), "pooled": words.mean(1)}

    torch.manual_seed(0)
    inputs = (torch.randn(1, 3, 32, 32), torch.randint(0, 100, (1, 8)))
    return Caption().eval(), inputs


def distance(found: np.ndarray, wanted: Any) -> float:
    want = wanted.numpy().astype(np.float64)
    return float(np.linalg.norm(found - want) / np.linalg.norm(want))


def show_compile(torch: Any, module: Any, inputs: tuple[Any, ...]) -> None:
    with torch.no_grad():
        wanted = module(*inputs)
    for precision, bound in BOUNDS.items():
        program = dojocc.compile(module, example_inputs=inputs, precision=precision)
        session = dojocc.Session(program)
        names = [port.name for port in program.outputs]
        feeds = {"image": inputs[0], "ids": inputs[1]}
        for name, found in zip(names, session.run(names, feeds), strict=True):
            far = distance(found, wanted[name])
            print(f"{precision}: {name} {list(found.shape)}, {far:.1e} from PyTorch")
            assert far < bound


def show_backend(torch: Any, module: Any, inputs: tuple[Any, ...]) -> None:
    compiled = torch.compile(module, backend="dojo", options={"precision": "fp32"})
    with torch.no_grad():
        found, wanted = compiled(*inputs), module(*inputs)
    far = distance(found["logits"].numpy(), wanted["logits"])
    print(f"torch.compile: logits as a {type(found['logits']).__name__}, {far:.1e} from PyTorch")
    assert far < BOUNDS["fp32"]


def show_error(torch: Any) -> None:
    class Strange(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.linalg.det(x)

    model = torch.nn.Sequential(torch.nn.Linear(4, 4), Strange())
    try:
        dojocc.compile(model, example_inputs=torch.randn(4, 4))
    except UnsupportedError as error:
        print(error)


def main() -> int:
    try:
        torch = framework("torch", "this example")
    except UsageError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    module, inputs = network(torch)
    show_compile(torch, module, inputs)
    show_backend(torch, module, inputs)
    show_error(torch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
