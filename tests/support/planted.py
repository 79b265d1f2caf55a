"""Faults to plant into compiled programs, for tests of the verifier.

Each fault takes a program and a generator of random numbers and gives the changed program, or None
where the program has no place for it. `plant` gives real faults only: those of BY_RUN show in a
run, whose outputs differ or which the machine stops; the others are faults by what they change, as
their texts say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dojocc.runtime.engines import run
from dojocc.runtime.errors import DojoError
from dojocc.runtime.isa.codec import decode_all, encode
from dojocc.runtime.isa.instr import Instr
from dojocc.runtime.lists import rows_of_entries
from dojocc.runtime.program import NO_SEMAPHORE, Program

Random = np.random.Generator
Place = tuple[int, Instr]
Fault = Callable[[Program, Random], Program | None]


def code_of(program: Program) -> list[Place]:
    """(word, instruction) of the streams, not the kernels, of the class that computes."""
    item = program.classes[0]
    first = min(entry for entry in item.entries if entry >= 0)
    return [(word, instr) for word, instr in decode_all(item.code) if word >= first]


def with_code(program: Program, changes: dict[int, list[int]]) -> Program:
    item = program.classes[0]
    code = item.code.copy()
    for word, words in changes.items():
        code[word : word + len(words)] = words
    return replace(program, classes=(replace(item, code=code), *program.classes[1:]))


def pick(random: Random, places: list[Place]) -> Place | None:
    return places[int(random.integers(len(places)))] if places else None


def without(program: Program, random: Random, *names: str) -> Program | None:
    """One of these instructions becomes `nop`."""
    found = pick(random, [place for place in code_of(program) if place[1].mnemonic in names])
    if found is None:
        return None
    (nop,) = encode(Instr("nop", ()))
    return with_code(program, {found[0]: [nop] * found[1].row.words})


def missing_post(program: Program, random: Random) -> Program | None:
    """Who waits for it waits for ever."""
    return without(program, random, "post")


def missing_wait(program: Program, random: Random) -> Program | None:
    """Nobody takes what is posted: what follows does not wait for the transfers."""
    return without(program, random, "wait", "waitx")


def missing_barrier(program: Program, random: Random) -> Program | None:
    """A list starts without knowing that its destination is free on the other nodes: it was in use,
    or cleared, since the barrier before."""
    places = needed_barriers(program)
    if not places:
        return None
    (nop,) = encode(Instr("nop", ()))
    return with_code(program, {int(random.choice(places)): [nop]})


def needed_barriers(program: Program) -> list[int]:
    """Words of barriers behind whose `post` of thread 0 the list's destination is not yet known to
    be free."""
    item, buffers = program.classes[0], program.build["buffers"]
    kernels = {name: start for name, start, _ in item.kernels}
    goals = {row[0]: row[1] for row in program.build["exchanges"]}
    found, before, begun = [], None, []
    first, second = item.entries[:2]
    last: Place | None = None
    posts: list[tuple[int, bool]] = []
    barriers: list[tuple[int, int]] = []
    for word, instr in code_of(program):
        if first <= word < (second if second > first else len(item.code)):
            if instr.mnemonic == "post":
                clears = last is not None and last[1].mnemonic == "call"
                clears = clears and last[1].operands[0] == kernels.get("clear")  # type: ignore
                posts.append((word, clears))
            last = (word, instr)
        elif instr.mnemonic == "rbar":
            begun.append(word)
        elif instr.mnemonic == "push" and begun:
            barriers.append((begun.pop(), int(instr.operands[0])))
    for (word, clears), (barrier, number) in zip(posts, barriers, strict=True):
        goal = buffers[goals[number]]
        used = any(
            row[2] < goal[2] + goal[3] and goal[2] < row[2] + row[3] and row[5] <= goal[4]
            for row in buffers
            if row is not goal and row[5] >= 0 and (before is None or row[5] > before)
        )
        mine = program.entries[program.entries["list"] == number]
        away = ((mine["peers"] > 1) | (mine["peer"] != mine["node"])).any()
        if away and (clears or used):
            found.append(barrier)
        before = word
    return found


def missing_list(program: Program, random: Random) -> Program | None:
    """Who waits for its transfers waits for ever."""
    return without(program, random, "push")


def shortened_wait(program: Program, random: Random) -> Program | None:
    """A wait takes one post less: what follows may run before the last transfer."""
    places = [place for place in code_of(program) if place[1].mnemonic == "wait"]
    found = pick(random, places)
    if found is None:
        return None
    word, instr = found
    semaphore, need = instr.operands
    return with_code(program, {word: encode(Instr("wait", (semaphore, need - 1)))})


def shifted_address(program: Program, random: Random) -> Program | None:
    """A kernel gets a buffer's address (a constant of thread 0) some lines off."""
    rows = {row[2] for row in program.build["buffers"]}
    places = [
        (word, instr)
        for word, instr in code_of(program)
        if instr.mnemonic in ("li", "lil") and 8 <= instr.operands[0] and instr.operands[1] in rows
    ]
    found = pick(random, places)
    if found is None:
        return None
    word, instr = found
    moved = int(instr.operands[1]) + int(random.choice([-128, -64, 64, 128]))
    return with_code(program, {word: encode(Instr(instr.mnemonic, (instr.operands[0], moved)))})


def changed_entry(
    program: Program, random: Random, change: Callable[[np.ndarray, int, int], bool]
) -> Program | None:
    """One list entry changed in place; `change` says whether it could."""
    lists = program.entries.copy()
    nodes = len(program.classes[0].nodes)
    for index in random.permutation(len(lists))[:50].tolist():
        if change(lists, index, nodes):
            try:
                return replace(program, lists=rows_of_entries(lists))
            except DojoError:
                return None
    return None


def missing_far_post(program: Program, random: Random) -> Program | None:
    def change(lists: np.ndarray, index: int, nodes: int) -> bool:
        lists["far_sem"][index] = NO_SEMAPHORE
        return True

    return changed_entry(program, random, change)


def missing_home_post(program: Program, random: Random) -> Program | None:
    def change(lists: np.ndarray, index: int, nodes: int) -> bool:
        lists["home_sem"][index] = NO_SEMAPHORE
        return True

    return changed_entry(program, random, change)


def wrong_peer(program: Program, random: Random) -> Program | None:
    def change(lists: np.ndarray, index: int, nodes: int) -> bool:
        if lists["peers"][index] != 1 or nodes < 2:
            return False
        lists["peer"][index] = (int(lists["peer"][index]) + 1) % nodes
        return True

    return changed_entry(program, random, change)


def swapped_routes(program: Program, random: Random) -> Program | None:
    """Two entries of one list go to each other's peers."""

    def change(lists: np.ndarray, index: int, nodes: int) -> bool:
        same = (lists["list"] == lists["list"][index]) & (lists["peer"] != lists["peer"][index])
        same &= (lists["peers"] == 1) & (lists["peers"][index] == 1)
        if not same.any():
            return False
        other = int(random.choice(np.flatnonzero(same)))
        lists["peer"][[index, other]] = lists["peer"][[other, index]]
        return True

    return changed_entry(program, random, change)


def shortened_row(program: Program, random: Random) -> Program | None:
    """A row of a list stands for one entry less in one of its repetitions."""
    rows = program.lists.copy()
    places = [(row, level) for level in "012" for row in np.flatnonzero(rows[f"repeat{level}"] > 1)]
    if not places:
        return None
    row, level = places[int(random.integers(len(places)))]
    rows[f"repeat{level}"][row] -= 1
    return replace(program, lists=rows)


def wrong_step(program: Program, random: Random) -> Program | None:
    """What a row of a list stands for lies a line further apart."""
    rows = program.lists.copy()
    places = [(row, level) for level in "012" for row in np.flatnonzero(rows[f"repeat{level}"] > 1)]
    if not places:
        return None
    row, level = places[int(random.integers(len(places)))]
    rows[f"{random.choice(['src', 'dst'])}_step{level}"][row] += 64
    try:
        return replace(program, lists=rows)
    except DojoError:
        return None


def shifted_destination(program: Program, random: Random) -> Program | None:
    def change(lists: np.ndarray, index: int, nodes: int) -> bool:
        lists["dst"][index] += 64
        return True

    return changed_entry(program, random, change)


def truncated(program: Program, random: Random) -> Program | None:
    def change(lists: np.ndarray, index: int, nodes: int) -> bool:
        lists["bytes"][index] //= 2
        return True

    return changed_entry(program, random, change)


def wrong_stride(program: Program, random: Random) -> Program | None:
    def change(lists: np.ndarray, index: int, nodes: int) -> bool:
        if lists["count0"][index] < 2:
            return False
        lists["dst_stride0"][index] += 64
        return True

    return changed_entry(program, random, change)


def overlapping_image(program: Program, random: Random) -> Program | None:
    """One image's bytes begin within another's, or within another buffer."""
    if len(program.images) < 2:
        return None
    number = int(random.integers(1, len(program.images)))
    moved = replace(program.images[number], address=program.images[number].address - 64)
    images = (*program.images[:number], moved, *program.images[number + 1 :])
    return replace(program, images=images) if moved.address >= 0 else None


def overlapping_buffers(program: Program, random: Random) -> Program | None:
    """Every use of a buffer, by kernels, lists and the table, moves onto its neighbour."""
    rows = [list(row) for row in program.build["buffers"]]
    fixed = {item.address for item in (*program.images, *program.inputs, *program.outputs)}
    places = [number for number, row in enumerate(rows) if row[2] not in fixed and row[2] >= 64]
    if not places:
        return None
    number = int(random.choice(places))
    address, end = rows[number][2], rows[number][2] + rows[number][3]
    lists, changes = program.entries.copy(), {}
    for word, instr in code_of(program):
        if instr.mnemonic in ("li", "lil") and instr.operands[1] == address:
            changes[word] = encode(Instr(instr.mnemonic, (instr.operands[0], address - 64)))
    for side in ("src", "dst"):
        lists[side][(lists[side] >= address) & (lists[side] < end)] -= np.uint64(64)
    rows[number][2] -= 64
    build = {**program.build, "buffers": rows}
    return replace(with_code(program, changes), lists=rows_of_entries(lists), build=build)


FAULTS: dict[str, Fault] = {
    each.__name__: each
    for each in (
        missing_post,
        missing_wait,
        missing_barrier,
        missing_list,
        shortened_wait,
        shifted_address,
        missing_far_post,
        missing_home_post,
        wrong_peer,
        swapped_routes,
        shortened_row,
        wrong_step,
        shifted_destination,
        truncated,
        wrong_stride,
        overlapping_image,
        overlapping_buffers,
    )
}

BY_RUN = (
    "shifted_address",
    "missing_far_post",
    "missing_home_post",
    "wrong_peer",
    "swapped_routes",
    "shortened_row",
    "wrong_step",
    "shifted_destination",
    "truncated",
    "wrong_stride",
)
"""Faults that may change nothing: the other node holds the same elements, or bytes are not used."""
TRIES = 20


def plant(name: str, program: Program, random: Random) -> Program | None:
    """A real fault of this kind; None where none is found."""
    for _ in range(TRIES):
        changed = FAULTS[name](program, random)
        if changed is None or name not in BY_RUN or shows(program, changed):
            return changed
    return None


def shows(program: Program, changed: Program) -> bool:
    """True where the changed program stops, or gives other outputs on random inputs."""
    draw = np.random.default_rng(1)
    inputs = {
        port.name: draw.standard_normal(port.shape).astype(port.dtype)
        if port.dtype.startswith("float")
        else draw.integers(0, 2, port.shape).astype(port.dtype)
        for port in program.inputs
    }
    try:
        found = run(changed, inputs, mode="exact").outputs
    except DojoError:
        return True
    wanted = run(program, inputs, mode="exact").outputs
    return any(found[name].tobytes() != wanted[name].tobytes() for name in wanted)
