"""The machine's state while a program runs: SRAM, DRAM, semaphores, barriers, watchdog."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from dojocc.runtime.engines.dram import Dram
from dojocc.runtime.engines.footprint import Footprints
from dojocc.runtime.engines.images import fetch, place
from dojocc.runtime.engines.memory import Contents, Memory
from dojocc.runtime.engines.tape import Tape
from dojocc.runtime.engines.transfers import ListParser
from dojocc.runtime.engines.tree import Op, Tree
from dojocc.runtime.errors import InputError, MachineStop
from dojocc.runtime.formats import FORMATS
from dojocc.runtime.program import Image, Port, Program

if TYPE_CHECKING:
    from dojocc.runtime.engines.contraction import Operand
    from dojocc.runtime.engines.scheduler import Group

FIXED_BYTES = 1 << 30  # kept at most of what transfers make of images alone
WATCHDOG = 1 << 33  # node instructions run one by one, not counting lifted work
THREADS = 4


class Barriers:
    """Arrival counts: a thread passes its k-th barrier when all others have arrived k times."""

    def __init__(self, program: Program) -> None:
        self.node = [np.zeros((len(c.nodes), THREADS), np.int64) for c in program.classes]
        self.region = [np.zeros((len(c.nodes), THREADS), np.int64) for c in program.classes]

    def arrive(self, op: Op, group: Group) -> None:
        thread = group.thread
        counts = self.node if op.name == "nbar" else self.region
        counts[thread.cls][thread.nodes, thread.number] += 1
        group.arrived = True

    def ready(self, op: Op, group: Group) -> np.ndarray:
        """Which nodes of the group may pass; the group arrives first if it has not."""
        if op.name == "rbar" and int(op.fields["n"]) != 0:
            raise MachineStop(
                f"trap: region {int(op.fields['n'])} is not defined",
                where=f"word {op.word}",
                help="region 0 is the class's own nodes",
            )
        if not group.arrived:
            self.arrive(op, group)
        thread = group.thread
        if op.name == "rbar":
            counts = self.region[thread.cls][:, thread.number]
            return counts[thread.nodes] <= counts.min()
        counts = self.node[thread.cls][thread.nodes]
        members = [t for t in range(THREADS) if int(op.fields["n"]) >> t & 1]
        mine = counts[:, thread.number]
        if not members:
            return np.ones(len(mine), bool)
        return np.asarray((counts[:, members] >= mine[:, None]).all(1))

    def missing(self, op: Op, group: Group) -> int:
        thread = group.thread
        if op.name == "rbar":
            counts = self.region[thread.cls][:, thread.number]
            return int((counts < counts[thread.nodes].max()).sum())
        members = [t for t in range(THREADS) if int(op.fields["n"]) >> t & 1]
        counts = self.node[thread.cls][thread.nodes]
        return int((counts[:, members] < counts[:, thread.number, None]).any(1).sum())


class Machine:
    """All nodes of a program's classes; memory is touched only where the program uses it."""

    def __init__(
        self,
        program: Program,
        watchdog: int = WATCHDOG,
        images: Callable[[Image], bool] = lambda image: True,
    ) -> None:
        self.program = program
        self.sram_bytes = program.target.node.sram_bytes
        self.trees = [Tree(c.code, c.entries) for c in program.classes]
        self.contents = Contents(FIXED_BYTES)
        self.memory = [
            Memory(len(c.nodes), self.sram_bytes, self.contents) for c in program.classes
        ]
        self.dram = Dram(program, self.contents)
        self.names = {c.name: number for number, c in enumerate(program.classes)}
        self.parser = ListParser(self)
        self.footprints = Footprints()
        self.operands: dict[tuple, Operand] = {}
        self.tapes: dict[str, Tape] = {}
        self.limit = watchdog
        self.reset()
        for image in filter(images, program.images):
            self.write_image(image)
        self.fill_dram()
        for memory in (*self.memory, self.dram.memory):
            memory.keep()

    def reset(self) -> None:
        """Semaphores and barriers as at the start."""
        self.semaphores = [np.zeros((len(c.nodes), 64), np.int64) for c in self.program.classes]
        self.barriers = Barriers(self.program)
        self.watched = 0

    def restore(self) -> None:
        """Memories, semaphores and barriers as at the start."""
        self.reset()
        for memory in (*self.memory, self.dram.memory):
            memory.restore()

    def write_image(self, image: Image) -> None:
        memory = self.memory[self.names[image.cls]]
        tensor = self.program.tensors[image.tensor]
        content = self.contents.of(("image", image.cls, image.tensor, image.layout))
        place(tensor, image.layout, memory, image.address, content)

    def fill_dram(self) -> None:
        """DRAM as far as images and lists use it."""
        self.dram.fill(self.program, self.contents)

    def identity(self, cls: int) -> np.ndarray:
        """[nodes, 6] for `rdid`: node id, row, column, die, grid row, grid column."""
        item, columns = self.program.classes[cls], self.program.target.cols
        row, col = np.divmod(item.nodes, columns)
        die = self.program.target.die
        dies_across = columns // die.cols
        grid_row, grid_col = np.divmod(np.arange(len(item.nodes)), max(item.grid[1], 1))
        number = row // die.rows * dies_across + col // die.cols
        return np.stack([item.nodes, row, col, number, grid_row, grid_col], 1)

    def node_name(self, node: int) -> str:
        row, col = divmod(node, self.program.target.cols)
        return f"({row}, {col})"

    def watch(self, work: int) -> None:
        """Stop a program that runs on and on."""
        self.watched += work
        if self.watched > self.limit:
            raise MachineStop(
                "watchdog: the program ran too many instructions one by one",
                numbers=f"{self.watched} node instructions, limit {self.limit}",
                help="look for a loop with a huge trip count, or raise the limit",
            )

    # -- ports -------------------------------------------------------------------------------

    def write_inputs(self, inputs: dict[str, np.ndarray]) -> None:
        """Place the model's inputs; raises InputError for wrong names, shapes or types."""
        ports = {port.name: port for port in self.program.inputs}
        wrong = sorted(set(inputs) - set(ports))
        missing = sorted(set(ports) - set(inputs))
        if wrong or missing:
            parts = [f"unknown {wrong}"] * bool(wrong) + [f"missing {missing}"] * bool(missing)
            raise InputError(
                "the inputs do not match the model's",
                numbers="; ".join(parts),
                help=f"the inputs are {list(ports)}",
            )
        for name, array in inputs.items():
            port = ports[name]
            array = check_input(port, np.asarray(array))
            memory = self.memory[self.names[port.cls]]
            place(array.reshape(port.layout.shape), port.layout, memory, port.address)

    def read_outputs(self) -> dict[str, np.ndarray]:
        result = {}
        for port in self.program.outputs:
            values = fetch(port.layout, self.memory[self.names[port.cls]], port.address)
            result[port.name] = values.reshape(port.shape).astype(port.dtype)
        return result


def check_input(port: Port, array: np.ndarray) -> np.ndarray:
    """`array` if it fits the port, with integers narrowed to INT32 after a range check."""
    if tuple(array.shape) != tuple(port.shape):
        raise InputError(
            f"input {port.name!r} has the wrong shape",
            numbers=f"need {tuple(port.shape)}, have {tuple(array.shape)}",
        )
    wanted = np.dtype(port.dtype)
    same_kind = wanted.kind == array.dtype.kind or {wanted.kind, array.dtype.kind} <= set("iub")
    if not same_kind:
        raise InputError(
            f"input {port.name!r} has the wrong type",
            numbers=f"need {wanted}, have {array.dtype}",
            help=f"convert it with .astype('{wanted}')",
        )
    if FORMATS[port.layout.fmt].kind == "int":
        limits = np.iinfo(FORMATS[port.layout.fmt].dtype)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise InputError(
                f"input {port.name!r} has values outside {port.layout.fmt}",
                numbers=f"{int(array.min())} to {int(array.max())}",
            )
        return array.astype(np.int32)
    return array.astype(np.float32, copy=False)
