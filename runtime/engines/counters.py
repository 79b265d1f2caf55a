"""What a run executed: instructions by mnemonic over all nodes, and how much of the loop work
ran lifted.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Counters:
    """`instructions[mnemonic]` counts executions over all nodes.

    `lifted_work` and `stepped_work` count instructions executed inside loops, run as array
    expressions over all iterations or iteration by iteration; straight-line set-up code is in
    neither.
    """

    instructions: dict[str, int] = field(default_factory=dict)
    lifted_work: int = 0
    stepped_work: int = 0
    bytes_moved: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def lifted_share(self) -> float:
        """Share of loop work that ran lifted (1.0 when there were no loops)."""
        total = self.lifted_work + self.stepped_work
        return self.lifted_work / total if total else 1.0

    @property
    def total(self) -> int:
        return sum(self.instructions.values())

    def one(self, name: str, nodes: int, in_loop: bool) -> None:
        """One instruction run once on `nodes` nodes."""
        self.instructions[name] = self.instructions.get(name, 0) + nodes
        if in_loop:
            self.stepped_work += nodes

    def lifted(self, pending: dict[str, int], nodes: int) -> None:
        """A lifted nest: executions by mnemonic of one node."""
        for name, count in pending.items():
            self.instructions[name] = self.instructions.get(name, 0) + count * nodes
        self.lifted_work += sum(pending.values()) * nodes

    def refused(self, reason: str) -> None:
        """A nest that had to run step by step, and why."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
