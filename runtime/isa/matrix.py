"""Matrix rows: the 8x8x4 unit. Accumulators are float32 [..., 8, 8].

Operand registers hold 64 raw bytes, read row-major in the format that `mfmt` chose; with 8-bit
formats the first 32 bytes are the block. Bodies get the decoded float32 blocks.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.isa.instr import Effect, instruction

MATRIX = {
    "unit": "matrix",
    "issue": 1,
    "latency": 8,
    "origin": "issue derived (256 MAC a cycle make the published peak); latency assumed",
    "group": "matrix",
}
MOVE = {**MATRIX, "latency": 4, "origin": "assumed"}


@instruction(0xB0, "<a:d@ra <b:d@rb", **{**MATRIX, "latency": 2, "origin": "assumed"})
def mfmt(a, b):
    """Later mmac and mmact read their A operand in format descriptor a and their B operand in b.

    At start both are BF16.
    """
    return Effect("matrix formats", (a, b))


@instruction(0xB1, ">d:m@rd", **MOVE)
def mzero():
    """Accumulator d = 0."""
    return np.zeros((8, 8), np.float32)


@instruction(0xB2, "=d:m@rd <a:v@ra <b:v@rb", lanes="raw", reduces="add", product=True, **MATRIX)
def mmac(d, a, b):
    """d[8x8] += a[8x4] * b[4x8]: products exact, FP32 additions one after another, k ascending."""
    return accumulate(d, a, b)


@instruction(0xB3, "=d:m@rd <a:v@ra <b:v@rb", lanes="raw", reduces="add", product=True, **MATRIX)
def mmact(d, a, b):
    """d[8x8] += a[8x4] * transpose of b[8x4]: as mmac, with B given transposed."""
    return accumulate(d, a, np.swapaxes(b, -1, -2))


@instruction(0xB4, ">d:v@rd <a:m@ra #part:u2@rb", **MOVE)
def mread(a, part):
    """d = rows 2 * part and 2 * part + 1 of accumulator a, as 16 FP32 lanes."""
    rows = a[..., 2 * part : 2 * part + 2, :]
    return rows.reshape(*rows.shape[:-2], 16)


@instruction(0xB5, "=d:m@rd <a:v@ra #part:u2@rb", **MOVE)
def mwrite(d, a, part):
    """Rows 2 * part and 2 * part + 1 of accumulator d = the 16 FP32 lanes of a."""
    leading = np.broadcast_shapes(d.shape[:-2], a.shape[:-1])
    result = np.broadcast_to(d, (*leading, 8, 8)).copy()
    result[..., 2 * part : 2 * part + 2, :] = a.reshape(*a.shape[:-1], 2, 8)
    return result


def accumulate(d, a, b):
    """((d + a[:,0] b[0,:]) + a[:,1] b[1,:]) + ... in FP32."""
    for k in range(a.shape[-1]):
        d = d + a[..., :, k : k + 1] * b[..., k : k + 1, :]
    return d
