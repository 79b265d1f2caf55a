"""Network rows: each hands one of the node's transfer lists to the list parser and goes on at once.

A list is the program's data: rows of runs of bytes with two strides, the peer, and the semaphores
to raise when an entry is done. Routing, pace and timing are the mesh's.

A row stands for the same entry on many nodes, or for many like it on one: up to three nested
repetitions (`repeat0` innermost), each with what it adds to node, peer, source and destination
(`node_step0`, `peer_step0`, `src_step0`, `dst_step0`). An entry of a push has `peers` peers,
`peer_stride` apart. A node starts its entries of a list by turn, (peer - node) modulo the nodes of
the peer's class (for DRAM, modulo the DIPs); those of one turn by destination address, then in the
order of the rows (assumed: any list parser that counts does this).
"""

from __future__ import annotations

from dojocc.runtime.isa.instr import Effect, instruction

LIST = {
    "unit": "network",
    "issue": 1,
    "latency": 4,
    "origin": "assumed: start of the list parser (published, but not its format or timing)",
    "group": "network",
}
FORM = "#n:u16@imm"


@instruction(0xC0, FORM, **LIST)
def push(n):
    """Start transfer list n, which writes segments of this node's SRAM into peers' SRAM.

    As an entry ends, its far semaphore rises by 1 at the peer and its home semaphore by 1 here.
    Entries of different lists to one peer end in the order in which their lists were started (they
    take one route).
    """
    return Effect("list", ("push", n))


@instruction(0xC1, FORM, **LIST)
def pull(n):
    """Start transfer list n, which reads segments of peers' SRAM into this node's SRAM."""
    return Effect("list", ("pull", n))


@instruction(0xC2, FORM, **LIST)
def dld(n):
    """Start transfer list n, which loads segments of DRAM through its DIP into SRAM.

    As an entry ends, its home semaphore rises by 1 here; a DIP has no semaphores.
    """
    return Effect("list", ("dram load", n))


@instruction(0xC3, FORM, **LIST)
def dst(n):
    """Start transfer list n, which stores segments of SRAM through a DIP to its DRAM.

    As an entry ends, its home semaphore rises by 1 here; a DIP has no semaphores.
    """
    return Effect("list", ("dram store", n))
