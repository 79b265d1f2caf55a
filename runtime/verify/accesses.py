"""What one class's memory goes through in a walk: every access as an event, with its bytes.

Also what can be said without replay: accesses that leave SRAM or their buffer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from dojocc.runtime.program import Port, Program
from dojocc.runtime.verify.buffers import Buffer, Buffers
from dojocc.runtime.verify.clocks import THREADS, Place
from dojocc.runtime.verify.findings import Finding, Report, code_place
from dojocc.runtime.verify.footprint import Box, Runs, box_runs, strided_runs
from dojocc.runtime.verify.lists import KINDS, entries_of
from dojocc.runtime.verify.order import Event, Events, Order
from dojocc.runtime.verify.registers import Touch
from dojocc.runtime.verify.spread import Part, parts, split_self, touched_classes
from dojocc.runtime.verify.sync import Walk
from dojocc.runtime.verify.trace import Step

TRANSFERS = THREADS
"""The kind of reader that is no thread."""
MANY = 256
"""Arrays of edges that are kept before they are joined."""
Content = Step | list[Part] | Buffer


@dataclass(frozen=True, eq=False)
class Use:
    """An event on one class's memory: what it may follow, and how it is carried out."""

    number: int
    acquire: np.ndarray
    reader: int
    writes: bool
    sure: bool = True
    constant: bool = False


@dataclass(eq=False)
class Memory:
    """Checks one class's memory in a finished walk."""

    program: Program
    cls: int
    walk: Walk
    order: Order
    buffers: Buffers
    report: Report
    events: Events = field(default_factory=Events)
    suspects: set[tuple[Place, Place]] = field(default_factory=set)
    answers: dict[Place | None, list[int]] = field(default_factory=dict)

    def run(self) -> None:
        """Find the events of this memory; nothing is replayed yet."""
        self.uses: dict[tuple[object, ...], list[tuple[Use, Content]]] = {}
        self.prepare()
        self.high = self.highest()
        self.edges = self.find_edges()
        readers = {use.reader for each in self.uses.values() for use, _ in each}
        self.readers = sorted(readers | {TRANSFERS})

    # -- events ----------------------------------------------------------------------------------

    def prepare(self) -> None:
        """The events of this memory and what each touches, by the step that does it."""
        name = self.program.classes[self.cls].name
        self.images = [item for item in self.program.images if item.cls == name]
        self.inputs = [item for item in self.program.inputs if item.cls == name]
        self.outputs = [item for item in self.program.outputs if item.cls == name]
        start = np.zeros(THREADS, np.int64)
        for what, undefined in (("nothing", True), ("an image", False), ("an input", False)):
            self.events.add(Event(what, undefined=undefined), start)
        for thread, steps in enumerate(self.walk.traces[self.cls]):
            for position, step in enumerate(steps):
                if step.touches:
                    self.prepare_step(thread, position, step)
        for started in self.walk.started.values():
            self.prepare_list(started)
        for turn, (position, buffer) in enumerate(self.buffers.edges(self.cls)):
            release = self.order.first_knowing(self.cls, 0, position)
            event = Event(f"buffer {buffer.name!r} {'ends' if turn < 0 else ''}", None, True)
            number = self.events.add(event, release)
            acquire = self.order.own[self.cls][0][position]
            use = Use(number, acquire, 0, True)
            self.uses.setdefault((self.cls, 0, position, "edge"), []).append((use, buffer))

    def prepare_step(self, thread: int, position: int, step: Step) -> None:
        acquire, release = self.order.of_step(self.cls, thread, position)
        over = int(min(release[0], len(self.walk.traces[self.cls][0]) + 1)) - 1
        if step.indexed:
            step = self.widened(step, int(acquire[0]), over)
        event = Event(step.name, (self.cls, thread, position))
        number = self.events.add(event, release)
        use = Use(number, acquire, thread, step.writes, step.sure, step.constant)
        if not step.bounded:
            what = "an access by an index that nothing bounds: it may leave its buffer"
            self.report.add(Finding("unknown", what, self.place(number)))
        self.uses[self.cls, thread, position] = [(use, step)]
        for touch in step.touches:
            low, high = box_runs(touch.box).span
            self.within(number, int(acquire[0]), over, touch.bases + low, touch.bases + high)

    def widened(self, step: Step, first: int, last: int) -> Step:
        """An access by an index that is not known, as one to all of the buffer that its base lies
        in; bases outside of all buffers stay as they are."""
        begin, end = self.buffers.alive(self.cls, first, last)
        touches = []
        for touch in step.touches:
            place = np.searchsorted(begin, touch.bases, "right") - 1
            for number in np.unique(place).tolist():
                mine = place == number
                nodes, bases, size = touch.nodes[mine], touch.bases[mine], 1
                if number >= 0:
                    inside = bases < end[number]
                    touches.append(Touch(nodes[~inside], bases[~inside], bytes_box(1)))
                    nodes, size = nodes[inside], int(end[number] - begin[number])
                    bases = np.full(len(nodes), begin[number])
                touches.append(Touch(nodes, bases, bytes_box(size)))
        some = tuple(touch for touch in touches if len(touch.nodes))
        return replace(step, touches=some, indexed=False, sure=False)

    def within(self, number: int, first: int, last: int, low: np.ndarray, high: np.ndarray) -> None:
        """Bytes [low, high) must lie in one buffer that lives over the positions [first, last]."""
        bad = self.buffers.outside(self.cls, first, last, low, high)
        if bad.any():
            worst = int(np.argmax(bad))
            self.report.add(
                Finding(
                    "capacity",
                    "touches bytes that are not within one buffer that is alive",
                    self.place(number),
                    f"bytes [{int(low[worst])}, {int(high[worst])})"
                    f" at {self.buffers.name_at(self.cls, int(low[worst]))}",
                )
            )

    def prepare_list(self, started) -> None:
        cls = started.place[0]
        entries = entries_of(self.program, started.number, cls)
        for alone, some in zip((False, True), split_self(entries), strict=True):
            for writes in (False, True):
                if self.cls not in touched_classes(some, cls, writes):
                    continue
                home = self.cls == cls and not alone and self.is_home(some, writes)
                clocks = self.order.of_transfer(started, self.cls, home, alone)
                event = Event(f"list {started.number}", started.place, writes=writes)
                number = self.events.add(event, clocks[1])
                use = Use(number, clocks[0], TRANSFERS, writes)
                content = list(parts(some, cls, self.cls, writes))
                over = int(min(clocks[1][0], len(self.walk.traces[self.cls][0]) + 1)) - 1
                for part in content:
                    low, high = part.runs.span
                    ends = part.address + low, part.address + high
                    self.within(number, int(clocks[0][0]), over, *ends)
                self.uses.setdefault(started.place, []).append((use, content))

    def is_home(self, entries: np.ndarray, writes: bool) -> bool:
        """True when this end of the entries is on the nodes that started the list."""
        return not bool(
            ((entries["kind"] == 0) & writes | (entries["kind"] == 1) & (not writes)).any()
        )

    def find_edges(self) -> np.ndarray:
        """Where any access, buffer or tensor begins or ends, within what is touched at all."""
        found = [np.array([0, self.high])]
        for item in (*self.images, *self.inputs, *self.outputs):
            found.append(np.array([item.address, item.address + item.layout.bytes]))
        for port in self.outputs:
            found += [ends_of(runs, np.array([port.address])) for _, runs in held(port)]
        for each in self.uses.values():
            for _, content in each:
                if isinstance(content, Step):
                    found += [ends_of(box_runs(t.box), t.bases) for t in content.touches]
                elif isinstance(content, list):
                    found += [ends_of(part.runs, part.address) for part in content]
                else:
                    found.append(np.array([content.address, content.address + content.bytes]))
            if len(found) > MANY:
                found = [np.unique(np.concatenate(found))]
        edges = np.unique(np.concatenate(found))
        return edges[(edges >= 0) & (edges <= self.high)]

    def highest(self) -> int:
        """The end of what is touched, within SRAM; touches outside are reported."""
        sram = self.program.target.node.sram_bytes
        high = [
            item.address + item.layout.bytes for item in (*self.images, *self.inputs, *self.outputs)
        ]
        for each in self.uses.values():
            for use, content in each:
                if isinstance(content, Step):
                    for touch in content.touches:
                        low, end = box_runs(touch.box).span
                        if end > low:
                            first, last = int(touch.bases.min()) + low, int(touch.bases.max()) + end
                            if first < 0 or last > sram:
                                self.outside(use, first, last)
                            high.append(last)
                elif isinstance(content, list):
                    high += [int(part.address.max()) + part.runs.span[1] for part in content]
                else:
                    high.append(content.address + content.bytes)
        return max(min(max(high, default=0), sram), 1)

    def outside(self, use: Use, first: int, last: int) -> None:
        self.report.add(
            Finding(
                "capacity",
                "an access leaves SRAM",
                self.place(use.number),
                f"bytes [{first}, {last}) of {self.program.target.node.sram_bytes}",
            )
        )

    def suspect(self, others: list[int], number: int) -> None:
        """Event `number` writes what these may still use: a question for a walk to come."""
        mine = self.events.items[number].step
        if mine is None:
            return
        for other in set[int]().union(*map(self.events.leaves, others)):
            event = self.events.items[other]
            if event.step is not None and not event.writes:
                self.suspects.add((event.step, mine))

    def followed(self, mine: Place | None) -> list[int]:
        """The events that are over when list start `mine` writes what they used, by answers of the
        walk and not by clocks."""
        if not self.walk.follows:
            return []
        if not self.answers:
            numbers: dict[Place | None, list[int]] = {}
            for number, event in enumerate(self.events.items):
                if not event.writes and not event.parts:
                    numbers.setdefault(event.step, []).append(number)
            for before, after in self.walk.follows:
                self.answers.setdefault(after, []).extend(numbers.get(before, ()))
        return self.answers.get(mine, [])

    def place(self, number: int) -> str:
        """Where an event stands in the code."""
        event = self.events.items[number]
        if event.step is None:
            return event.what
        cls, thread, position = event.step
        step = self.walk.traces[cls][thread][position]
        return (
            f"`{step.name}`"
            + (f" {event.what}" if step.name in KINDS else "")
            + ", "
            + code_place(self.program, cls, thread, step.word, step.call)
        )


def bytes_box(size: int) -> Box:
    """`size` bytes above a base."""
    return Box((), (), 1, 0, size, 1)


def ends_of(runs: Runs, bases: np.ndarray) -> np.ndarray:
    """Where runs above these bases begin and end."""
    ends = np.concatenate([runs.starts, runs.ends])
    return np.unique(np.unique(bases)[:, None] + ends)


def held(port: Port) -> Iterator[tuple[np.ndarray, Runs]]:
    """(nodes, runs relative to the port's address) of the elements that nodes hold."""
    layout = port.layout
    for _, members, source, place in layout.parts():
        dims = tuple(
            (part.stop - part.start, stride)
            for part, stride in zip(source, layout.strides, strict=True)
        )
        shift = sum(p.start * stride for p, stride in zip(place, layout.strides, strict=True))
        runs = strided_runs(layout.item, dims)
        if len(runs.starts):
            yield np.sort(members), Runs(runs.starts + shift, runs.ends + shift)
