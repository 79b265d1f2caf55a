"""Address rows: they set the fields of the address generators a0-a15.

The address of granule g of an access whose first granule is f is

    base + sum over levels of stride[level] * counter[level] + (f + g) * pitch

and its coordinates, for lane l of the granule, are

    y = y0 + sum of y_stride[level] * counter[level]
    x = x0 + sum of x_stride[level] * counter[level] + (f + g) * granule_step + l * lane_step

It is in bounds if 0 <= y < y_limit and 0 <= x < x_limit; a bound that is not set always holds.
The counter of a level that is not open is 0. Bodies give the new value of the field that they set.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.isa.instr import Effect, instruction

SET = {
    "unit": "address",
    "issue": 1,
    "latency": 1,
    "origin": "issue derived from two published address units; latency assumed",
    "group": "address",
}


@instruction(0x30, ">d:a@rd", **SET)
def aclr():
    """Every field of generator d becomes 0; both bounds are off; the pad value is 0."""
    return Effect("clear generator")


@instruction(0x31, ">d:a@rd <a:x@ra", **SET)
def abase(a):
    """Base address of generator d = a."""
    return np.int64(a)


@instruction(0x32, ">d:a@rd #n:imm32@ext", **SET)
def abasei(n):
    """Base address of generator d = n."""
    return np.int64(n)


@instruction(0x33, "=d:a@rd <a:x@ra", **SET)
def aadd(d, a):
    """Base address of generator d grows by a. In the body, d is the present base."""
    return np.add(d, a, dtype=np.int64)


@instruction(0x34, "=d:a@rd #n:imm32@ext", **SET)
def aaddi(d, n):
    """Base address of generator d grows by n. In the body, d is the present base."""
    return np.add(d, n, dtype=np.int64)


@instruction(0x35, ">d:a@rd #L:L@ra #n:imm32@ext", **SET)
def astr(L, n):
    """Byte stride of generator d at loop level L = n."""
    return np.int64(n)


@instruction(0x36, ">d:a@rd #L:L@ra <a:x@rb", **SET)
def astrx(L, a):
    """Byte stride of generator d at loop level L = a."""
    return np.int64(a)


@instruction(0x37, ">d:a@rd #n:imm32@ext", **SET)
def apitch(n):
    """Bytes from one granule to the next of generator d = n."""
    return np.int64(n)


@instruction(0x38, ">d:a@rd #n:f32@ext", **SET)
def apad(n):
    """What generator d reads, or makes padded stores write, out of bounds = n (an FP32 number).

    INT formats take the integer nearest to n.
    """
    return np.float32(n)


@instruction(0x39, ">d:a@rd <a:x@ra <b:x@rb", **SET)
def ay(a, b):
    """Rows of generator d start at y0 = a, in bounds from 0 to b - 1; turns that bound on."""
    return np.int64(a), np.int64(b)


@instruction(0x3A, ">d:a@rd <a:x@ra <b:x@rb", **SET)
def ax(a, b):
    """Columns of generator d start at x0 = a, in bounds from 0 to b - 1; turns that bound on."""
    return np.int64(a), np.int64(b)


@instruction(0x3B, ">d:a@rd #L:L@ra #n:imm32@ext", **SET)
def aystr(L, n):
    """Change of y of generator d a step of loop level L = n."""
    return np.int64(n)


@instruction(0x3C, ">d:a@rd #L:L@ra #n:imm32@ext", **SET)
def axstr(L, n):
    """Change of x of generator d a step of loop level L = n."""
    return np.int64(n)


@instruction(0x3D, ">d:a@rd #granule:imm8@ra #lane:imm8@rb", **SET)
def astep(granule, lane):
    """Change of x of generator d from one granule to the next, and from one lane to the next."""
    return np.int64(granule), np.int64(lane)
