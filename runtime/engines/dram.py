"""The memories of a machine's DIPs, as those of a class of nodes: a DIP that the program uses is a
node. What several DIPs hold alike is kept once."""

from __future__ import annotations

import numpy as np

from dojocc.runtime.engines.memory import LINE, Contents, Memory, Part, frame
from dojocc.runtime.program import DRAM_LOAD, DRAM_STORE, DramImage, Program
from dojocc.runtime.segments import reach


class Dram:
    """`dips`: those in use, ascending; `memory` holds the bytes of each that the program uses."""

    def __init__(self, program: Program, contents: Contents) -> None:
        lists = program.entries
        used = lists["peer"][lists["kind"] >= DRAM_LOAD].astype(np.int64).tolist()
        self.dips = np.unique(np.array([*used, *(each.dip for each in program.dram)], np.int64))
        size = max((each.address + nbytes(program, each) for each in program.dram), default=0)
        for kind, end in ((DRAM_LOAD, "src"), (DRAM_STORE, "dst")):
            entries = lists[lists["kind"] == kind]
            _, high = reach(entries, end)
            size = max(size, int(high.max(initial=0)))
        self.memory = Memory(max(len(self.dips), 1), -(-size // LINE) * LINE, contents)

    def place(self, dips: np.ndarray) -> np.ndarray:
        """The numbers of DIPs in the memory."""
        return np.searchsorted(self.dips, dips)

    def fill(self, program: Program, contents: Contents) -> None:
        """The content at the start."""
        alike: dict[tuple[str, int], list[int]] = {}
        for each in program.dram:
            alike.setdefault((each.tensor, each.address), []).append(each.dip)
        for (tensor, start), dips in alike.items():
            array = np.ascontiguousarray(program.tensors[tensor])
            content, stop = array.reshape(-1).view(np.uint8), start + array.nbytes
            if len(set(dips)) < len(self.dips):
                rows = self.memory.exclusive(start, stop)
                rows[self.place(np.array(dips))] = content
                continue
            origin, width = frame(start, stop)
            buffer = np.zeros((1, width), np.uint8)
            buffer[0, start - origin : stop - origin] = content
            number = contents.of(("dram", tensor, start))
            grouping = self.memory.groupings.alike
            self.memory.put(Part(start, stop, origin, buffer, grouping, False, number))


def nbytes(program: Program, image: DramImage) -> int:
    return program.tensors[image.tensor].nbytes
