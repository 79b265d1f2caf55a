"""What of a model is not supported: a finding for each op type or reason, and one error of all."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import onnx

from dojocc.frontends.onnx.functions import has_body
from dojocc.frontends.onnx.model_file import STANDARD, Source
from dojocc.frontends.onnx.node import HANDLERS, NeedsConstants, handler_name
from dojocc.runtime.errors import UnsupportedError

INLINED = ("If", "Loop", "Scan")


@dataclass(frozen=True)
class Finding:
    """`count` nodes of type `op` cannot be imported; `first` is where the first one stands."""

    op: str
    domain: str
    opset: int
    count: int
    first: str
    reason: str
    nearest: str | None = None

    def __str__(self) -> str:
        nodes = "1 node" if self.count == 1 else f"{self.count} nodes"
        near = f"; nearest supported: {self.nearest}" if self.nearest else ""
        name = f"{self.op} ({self.domain or 'ai.onnx'} opset {self.opset})"
        return f"{name}, {nodes}, first {self.first}: {self.reason}{near}"


def location(node: onnx.NodeProto, number: int) -> str:
    """`node 'name' (OpType)`; a nameless node is known by its number and first output."""
    if node.name:
        return f"node '{node.name}' ({node.op_type})"
    output = node.output[0] if node.output else ""
    return f"node #{number} -> '{output}' ({node.op_type})"


def supported(node: onnx.NodeProto, opset: int, functions: set[tuple[str, str]]) -> bool:
    if (node.domain, node.op_type) in functions:
        return True
    if handler_name(node.domain, node.op_type) in HANDLERS:
        return True
    if node.domain not in STANDARD:
        return has_body(node.op_type, opset, node.domain)
    return node.op_type in INLINED or has_body(node.op_type, opset)


def unknown_ops(source: Source) -> list[Finding]:
    """Op types nothing here can import, all at once, functions of the model included."""
    functions = {(f.domain, f.name) for f in source.model.functions}
    rows: dict[tuple[str, str], list] = {}
    versions = {row.domain: row.version for row in source.model.opset_import}
    for node, where in all_nodes(source.model):
        opset = source.opset if node.domain in STANDARD else versions.get(node.domain, 0)
        if not supported(node, opset, functions):
            row = rows.setdefault((node.domain, node.op_type), [0, where, opset])
            row[0] += 1
    return [
        Finding(op, domain, opset, count, first, "this op is not supported", nearest(op))
        for (domain, op), (count, first, opset) in rows.items()
    ]


def all_nodes(model: onnx.ModelProto) -> Iterator[tuple[onnx.NodeProto, str]]:
    for number, node in enumerate(model.graph.node):
        yield node, location(node, number)
    for function in model.functions:
        for number, node in enumerate(function.node):
            yield node, f"{location(node, number)} in function '{function.name}'"


def nearest(op: str) -> str | None:
    by_case = {name.lower(): name for name in HANDLERS}
    found = difflib.get_close_matches(op.lower(), by_case, 1, 0.5)
    return by_case[found[0]] if found else None


def raise_if_any(findings: Iterable[Finding], source: Source, needed: Collection[str] = ()) -> None:
    """One UnsupportedError with every finding; `needed`: inputs that would have to be constants."""
    rows = list(findings)
    if not rows:
        return
    count = sum(row.count for row in rows)
    nodes = "1 node uses" if count == 1 else f"{count} nodes use"
    what = f"{nodes} what dojocc does not support:\n" + "\n".join(f"    {row}" for row in rows)
    help = "`dojocc check MODEL` lists all of it; docs/frontends.md lists the supported ops"
    if needed:
        raise NeedsConstants(what, source.name, None, help, inputs=needed)
    raise UnsupportedError(what, where=source.name, help=help)
