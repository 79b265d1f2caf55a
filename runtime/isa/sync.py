"""Synchronisation, control and system rows: semaphores, barriers, loops, calls, markers.

Loops are structured: `loop`/`loopx` ... `end`, nested to six levels, inner ones with higher levels;
kernels end in `ret` and may not recurse. There are no other jumps.
"""

from __future__ import annotations

import numpy as np

from dojocc.runtime.isa.instr import Effect, instruction

SYNC = {"unit": "sync", "issue": 1, "latency": 2, "origin": "assumed", "group": "sync"}
BARRIER = {
    **SYNC,
    "latency": 4,
    "origin": "assumed: home side only; the mesh adds the way there and back",
}
CONTROL = {
    "unit": "control",
    "issue": 1,
    "latency": 0,
    "origin": "assumed: hardware loops and calls take a decode slot and no bubble",
    "group": "control",
}
SYSTEM = {**CONTROL, "group": "system", "origin": "assumed"}


@instruction(0xD0, "=s:s@rd #n:u8@rb", **SYNC)
def post(s, n):
    """Semaphore s of this node rises by n. In the body, s is its value."""
    return s + n


@instruction(
    0xD1, "<a:x@ra =s:s@rd", **{**SYNC, "origin": "assumed: home side only; the mesh adds the way"}
)
def rpost(a, s):
    """Semaphore s of node a (index in the class) rises by 1. In the body, s is the peer's value."""
    return s + 1


@instruction(0xD2, "=s:s@rd #n:imm16@imm", **SYNC)
def wait(s, n):
    """Wait until semaphore s is at least n, then subtract n. In the body, s is its value then."""
    return s - n


@instruction(0xD3, "=s:s@rd <a:x@ra", **SYNC)
def waitx(s, a):
    """Wait until semaphore s is at least a, then subtract a. In the body, s is its value then."""
    return s - a


@instruction(0xD4, "#n:u8@rb", **BARRIER)
def nbar(n):
    """Node barrier: wait until every thread of this node whose bit is set in n has come to it."""
    return Effect("node barrier", (n,))


@instruction(0xD5, "#n:u8@rb", **BARRIER)
def rbar(n):
    """Region barrier: wait until every node of region n has come to it.

    Region 0 is the class's grid.
    """
    return Effect("region barrier", (n,))


@instruction(0xE0, "#L:L@rd #n:u16@imm", **CONTROL)
def loop(L, n):
    """Run the instructions up to the matching `end` n times, counting in level L; 0 skips them."""
    return n


@instruction(0xE1, "#L:L@rd <a:x@ra", **CONTROL)
def loopx(L, a):
    """Run the instructions up to the matching `end` a times, counting in level L; a <= 0: none."""
    return np.maximum(a, 0)


@instruction(0xE2, "", **CONTROL)
def end():
    """End of the innermost open loop."""
    return Effect("end")


@instruction(0xE3, "#n:imm32@ext", **CONTROL)
def call(n):
    """Run the kernel that starts at word n of the class's code, up to its `ret`."""
    return n


@instruction(0xE4, "", **CONTROL)
def ret():
    """End of a kernel: go on after its call."""
    return Effect("return")


@instruction(0xE5, "", **CONTROL)
def nop():
    """Nothing."""
    return Effect("nothing")


@instruction(0xF0, "#n:u16@imm", **SYSTEM)
def mark(n):
    """Trace marker: what follows belongs to mark n of the program. No effect on values."""
    return Effect("mark", (n,))


@instruction(0xF1, "<a:x@ra", **SYSTEM)
def seed(a):
    """The key of this thread's random bits (vrand) = a."""
    return np.int64(a)


@instruction(0xF2, "", **SYSTEM)
def halt():
    """This thread has finished."""
    return Effect("halt")
