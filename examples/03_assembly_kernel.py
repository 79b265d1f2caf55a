"""A kernel written by hand, in examples/matmul_relu.s, run on both engines and compared with NumPy.

    python examples/03_assembly_kernel.py

Look at the loop in the listing: two gather loads and one mmac are 8 x 8 x 4 multiply-accumulates.
"""

from __future__ import annotations

import numpy as np
from show import ROOT, check, head

import dojocc
from dojocc.runtime.formats import FORMATS, decode, encode
from dojocc.runtime.isa.asm import assemble_file
from dojocc.runtime.isa.disasm import listing
from dojocc.runtime.timing import time_program


def to_bf16(array: np.ndarray) -> np.ndarray:
    """Rounded as the machine rounds its inputs."""
    return decode(encode(array, FORMATS["BF16"]), FORMATS["BF16"])


def main() -> None:
    program = assemble_file(ROOT / "examples" / "matmul_relu.s")
    head("the program's words", listing(program), 40)
    random = np.random.default_rng(0)
    inputs = {
        "x": random.normal(size=(48, 32)).astype(np.float32),
        "w": random.normal(size=(32, 8)).astype(np.float32),
    }
    want = np.maximum(to_bf16(inputs["x"]) @ to_bf16(inputs["w"]), 0)
    results = []
    for engine in ("reference", "vector"):
        session = dojocc.Session(program, engine=engine, mode="exact")
        results.append(session.run(["y"], inputs)[0])
        check(f"{engine} engine", results[-1], want, 1e-6)
    if not np.array_equal(*results):
        raise SystemExit("the engines differ, though the mode is exact")
    print(f"engines equal bit for bit; {time_program(program).cycles} cycles predicted")


if __name__ == "__main__":
    main()
