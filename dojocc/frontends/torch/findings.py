"""What of a PyTorch graph is not supported: one error that names all of it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field

from dojocc.frontends.torch.graph import TorchGraph, TorchNode
from dojocc.frontends.torch.node import HANDLERS
from dojocc.runtime.errors import UnsupportedError

MOST_MODULES = 3
HELP = "docs/frontends.md lists the supported ops; write the module with these, or split it"


@dataclass
class Finding:
    """Calls of one op that cannot be imported for one reason."""

    op: str
    reason: str
    count: int = 0
    modules: list[str] = field(default_factory=list)
    first: str = ""

    def add(self, node: TorchNode) -> None:
        self.count += 1
        self.first = self.first or node.where
        place = f"'{node.module}' ({node.module_type})" if node.module_type else "the model itself"
        if place not in self.modules:
            self.modules.append(place)

    def __str__(self) -> str:
        calls = "1 call" if self.count == 1 else f"{self.count} calls"
        more = len(self.modules) - MOST_MODULES
        used = ", ".join(self.modules[:MOST_MODULES]) + (f" and {more} more" if more > 0 else "")
        near = nearest(self.op) if self.op not in HANDLERS else None
        text = f"{self.op}, {calls}, used by {used}: {self.reason}"
        return f"{text}; nearest supported: {near}" if near else text


class Findings:
    """Findings by op and reason, in the order met."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Finding] = {}

    def add(self, node: TorchNode, reason: str) -> None:
        key = (node.op, reason)
        self.rows.setdefault(key, Finding(node.op, reason)).add(node)

    def raise_if_any(self, graph: TorchGraph) -> None:
        rows: Sequence[Finding] = list(self.rows.values())
        if not rows:
            return
        count = sum(row.count for row in rows)
        calls = "1 call uses" if count == 1 else f"{count} calls use"
        text = "\n".join(f"    {row}" for row in rows)
        raise UnsupportedError(
            f"{calls} what dojocc does not support:\n{text}", where=graph.name, help=HELP
        )


def nearest(op: str) -> str | None:
    """The supported op whose name is most alike."""
    found = difflib.get_close_matches(op, HANDLERS, 1, 0.6)
    return found[0] if found else None
