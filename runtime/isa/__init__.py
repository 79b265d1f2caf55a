"""The instruction set: one decorated function a row; importing it fills TABLE."""

from dojocc.runtime.isa import (
    address,
    integer,
    matrix,
    memory,
    network,
    scalar,
    sync,
    vector,
)
from dojocc.runtime.isa.instr import BY_OPCODE, TABLE

__all__ = [
    "BY_OPCODE",
    "TABLE",
    "address",
    "integer",
    "matrix",
    "memory",
    "network",
    "scalar",
    "sync",
    "vector",
]
