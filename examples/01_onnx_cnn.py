"""A LeNet from ONNX on a D1 die of 354 nodes, compared with ONNX Runtime.

    python examples/01_onnx_cnn.py

Look at the mmac count: the multiply-accumulates really happen in the instruction streams.
"""

from __future__ import annotations

import onnxruntime
from show import check
from zoo import build, inputs

import dojocc

PRECISIONS = {"fp32": 1e-5, "bf16": 2e-2}


def main() -> None:
    model = build("lenet")
    given = inputs(model)
    judge = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    want = judge.run(None, given)[0]
    for precision, allowed in PRECISIONS.items():
        program = dojocc.compile(model, precision=precision)
        session = dojocc.Session(program)
        have = session.run(None, given)[0]
        check(f"LeNet in {precision}", have, want, allowed)
        counters = session.counters
        assert counters is not None
        matrix = sum(counters.instructions.get(name, 0) for name in ("mmac", "mmact"))
        print(
            f"  {len(program.classes)} classes of nodes, {counters.total:,} instructions, "
            f"{matrix:,} of them mmac, {counters.lifted_share:.1%} of the work lifted"
        )
        best = int(have.argmax())
        print(f"  class {best} here, {int(want.argmax())} there")


if __name__ == "__main__":
    main()
