"""What the verifier reports: one finding a broken promise, with where it is and its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dojocc.runtime.program import Program

SHOWN = 4  # nodes or byte ranges named in one finding

KINDS = {
    "code": "the streams are no sound code",
    "capacity": "an access or a buffer lies outside its memory or its buffer",
    "overlap": "two buffers that are alive at the same time share bytes",
    "undefined": "bytes are read that nothing wrote before",
    "race": "two accesses to the same bytes have no order, and one writes",
    "deadlock": "a wait or barrier that can never be passed",
    "balance": "semaphores are left raised: more posts than waits take",
    "route": "two nodes that talk have no sound route",
    "channel": "routes wait for each other in a ring",
    "exchange": "a transfer moves an element to where another belongs",
    "call": "a kernel is called with other arguments than its buffers and sizes",
    "unknown": "control or an address depends on computed data",
}


@dataclass(frozen=True)
class Finding:
    """One fault: `kind` is a key of KINDS; the texts read as those of an error."""

    kind: str
    what: str
    where: str = ""
    numbers: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no kind of finding called {self.kind!r}")

    def __str__(self) -> str:
        parts = [("where", self.where), ("numbers", self.numbers)]
        head = f"{self.kind}: {self.what}"
        return "\n".join([head, *(f"  {name}: {text}" for name, text in parts if text)])


@dataclass
class Report:
    """Findings, each place once, and what was checked (counts by name)."""

    findings: list[Finding] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    places: set[tuple[object, ...]] = field(default_factory=set)

    @property
    def sound(self) -> bool:
        return not self.findings

    def add(self, finding: Finding, place: tuple[object, ...] = ()) -> None:
        """Keep a finding, unless one of its kind at `place` is known."""
        key = (finding.kind, *(place or (finding.what, finding.where)))
        if key not in self.places:
            self.places.add(key)
            self.findings.append(finding)

    def count(self, name: str, amount: int = 1) -> None:
        self.checked[name] = self.checked.get(name, 0) + amount


def node_names(program: Program, cls: int, nodes: np.ndarray) -> str:
    """The first few of a class's nodes as positions on the machine."""
    ids = program.classes[cls].nodes[nodes[:SHOWN]]
    names = ", ".join(str(program.target.position(int(node))) for node in ids)
    return names + (f" and {len(nodes) - SHOWN} more" if len(nodes) > SHOWN else "")


def code_place(program: Program, cls: int, thread: int, word: int, call: int = -1) -> str:
    """Class, thread, word, kernel and source op of an instruction; `call` is the word of the call
    that led to it."""
    item = program.classes[cls]
    text = f"class {item.name}, thread {thread}, word {word}"
    kernel = next((k[0] for k in item.kernels if k[1] <= word < k[2]), None)
    text += f", kernel {kernel}" * (kernel is not None)
    text += f" called at word {call}" * (call >= 0)
    number = int(item.debug[call if call >= 0 else word])
    if number >= 0:
        mark = program.marks[number]
        text += f", in {mark.op}" + (f" ({mark.source})" if mark.source else "")
    return text
