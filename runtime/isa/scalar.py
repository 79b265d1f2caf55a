"""Scalar rows: 64-bit two's complement integers in x0-x31 (x0 reads 0). Values are int64 arrays."""

from __future__ import annotations

import numpy as np

from dojocc.runtime.isa.instr import Effect, instruction

ALU = {
    "unit": "scalar",
    "issue": 1,
    "latency": 1,
    "origin": "issue derived from two published integer ALUs; latency assumed",
    "group": "scalar",
}
LONG = {**ALU, "latency": 3, "origin": "assumed: a pipelined multiplier"}
DIVIDE = {**ALU, "issue": 16, "latency": 20, "origin": "assumed: an iterative divider"}
XXX = ">d:x@rd <a:x@ra <b:x@rb"


def unsigned(a):
    return np.asarray(a, np.int64).view(np.uint64)


def signed(a):
    return np.asarray(a, np.uint64).view(np.int64)


@instruction(0x10, ">d:x@rd #n:imm16@imm", **ALU)
def li(n):
    """d = n, sign-extended from 16 bits."""
    return np.int64(n)


@instruction(0x11, ">d:x@rd #n:imm32@ext", **ALU)
def lil(n):
    """d = n, sign-extended from 32 bits."""
    return np.int64(n)


@instruction(0x12, XXX, **ALU)
def add(a, b):
    """d = a + b, modulo 2^64."""
    return np.add(a, b, dtype=np.int64)


@instruction(0x13, ">d:x@rd <a:x@ra #n:imm32@ext", **ALU)
def addi(a, n):
    """d = a + n, modulo 2^64."""
    return np.add(a, n, dtype=np.int64)


@instruction(0x14, XXX, **ALU)
def sub(a, b):
    """d = a - b, modulo 2^64."""
    return np.subtract(a, b, dtype=np.int64)


@instruction(0x15, XXX, **LONG)
def mul(a, b):
    """d = the low 64 bits of a * b."""
    return np.multiply(a, b, dtype=np.int64)


@instruction(0x16, XXX, **ALU)
def min_(a, b):
    """d = the lesser of a and b, signed."""
    return np.minimum(a, b, dtype=np.int64)


@instruction(0x17, XXX, **ALU)
def max_(a, b):
    """d = the greater of a and b, signed."""
    return np.maximum(a, b, dtype=np.int64)


@instruction(0x18, XXX, **ALU)
def and_(a, b):
    """d = a AND b, bit by bit."""
    return np.bitwise_and(a, b, dtype=np.int64)


@instruction(0x19, XXX, **ALU)
def or_(a, b):
    """d = a OR b, bit by bit."""
    return np.bitwise_or(a, b, dtype=np.int64)


@instruction(0x1A, XXX, **ALU)
def xor(a, b):
    """d = a XOR b, bit by bit."""
    return np.bitwise_xor(a, b, dtype=np.int64)


@instruction(0x1B, XXX, **ALU)
def sll(a, b):
    """d = a shifted left by the low 6 bits of b."""
    return signed(np.left_shift(unsigned(a), unsigned(b) & np.uint64(63)))


@instruction(0x1C, XXX, **ALU)
def srl(a, b):
    """d = a shifted right by the low 6 bits of b, zeros shifted in."""
    return signed(np.right_shift(unsigned(a), unsigned(b) & np.uint64(63)))


@instruction(0x1D, XXX, **ALU)
def sra(a, b):
    """d = a shifted right by the low 6 bits of b, copies of the sign shifted in."""
    return np.right_shift(np.asarray(a, np.int64), np.asarray(b, np.int64) & 63)


@instruction(0x1E, XXX, **ALU)
def slt(a, b):
    """d = 1 if a < b (signed), else 0."""
    return np.less(a, b).astype(np.int64)


@instruction(0x1F, XXX, **ALU)
def sle(a, b):
    """d = 1 if a <= b (signed), else 0."""
    return np.less_equal(a, b).astype(np.int64)


@instruction(0x20, XXX, **ALU)
def seq(a, b):
    """d = 1 if a equals b, else 0."""
    return np.equal(a, b).astype(np.int64)


@instruction(0x21, XXX, **ALU)
def sne(a, b):
    """d = 1 if a differs from b, else 0."""
    return np.not_equal(a, b).astype(np.int64)


@instruction(0x22, "=d:x@rd <a:x@ra <b:x@rb", **ALU)
def csel(d, a, b):
    """d = a if d was not zero, else b."""
    return np.where(np.not_equal(d, 0), a, b).astype(np.int64)


@instruction(0x23, XXX, **DIVIDE)
def divu(a, b):
    """d = a / b rounded down, both unsigned 64-bit; all ones if b is 0."""
    a, b = unsigned(a), unsigned(b)
    quotient = a // np.where(b == 0, np.uint64(1), b)
    return signed(np.where(b == 0, np.uint64(2**64 - 1), quotient))


@instruction(0x24, XXX, **DIVIDE)
def remu(a, b):
    """d = the remainder of a / b, both unsigned 64-bit; a if b is 0."""
    a, b = unsigned(a), unsigned(b)
    return signed(np.where(b == 0, a, a % np.where(b == 0, np.uint64(1), b)))


@instruction(0x25, ">d:x@rd #n:u16@imm", implicit=("identity",), **ALU)
def rdid(n, identity):
    """d = fact n about this node: 0 node, 1 row, 2 column, 3 die, 4 grid row, 5 grid column.

    `identity` is an int64 array [..., 6] that holds the six facts.
    """
    return np.asarray(identity, np.int64)[..., n]


@instruction(
    0x26,
    ">d:x@rd <a:a@gen #n:imm8@rb",
    unit="load",
    issue=1,
    latency=5,
    origin="port published (two loads a cycle); latency assumed",
    group="scalar",
)
def ldx(a, n):
    """d = the 32-bit word in SRAM at generator a's address + 4 * n, sign-extended."""
    return Effect("load scalar", (a, n))
