"""A transformer encoder block and a GPT-type decoder block, compared with ONNX Runtime.

    python examples/02_transformer_block.py [--size paper]

Look at where the cycles go: attention moves data between nodes, the feed-forward part computes.
"""

from __future__ import annotations

import argparse

import onnxruntime
from show import check
from zoo import build, inputs

import dojocc
from dojocc.runtime.timing import time_program

BLOCKS = ("transformer", "gpt")
ALLOWED = 2e-2


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", choices=("tiny", "paper"), default="tiny")
    size = parser.parse_args().size
    for name in BLOCKS:
        model = build(name, size)
        given = inputs(model)
        judge = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        want = judge.run(None, given)[0]
        program = dojocc.compile(model)
        have = dojocc.Session(program).run(None, given)[0]
        check(f"{name} ({size})", have, want, ALLOWED)
        timing = time_program(program)
        print(f"  {timing.cycles:,} cycles predicted, the longest ops:")
        for op, cycles in sorted(timing.by_op.items(), key=lambda row: -row[1])[:5]:
            print(f"  {cycles:>8,}  {op}")


if __name__ == "__main__":
    main()
