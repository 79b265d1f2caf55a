"""Delta debugging of ONNX graphs, for models that fail before there is a module of ours.

A smaller model has fewer outputs, or inputs in place of what some nodes gave; initialisers and
inputs that then have no reader go with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import onnx
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto
from xdsl.dialects.builtin import ModuleOp

from dojocc.dialects.context import DojoContext
from dojocc.frontends.read import read_model
from dojocc.options import Options
from dojocc.reducing_checks import Failure

Fails = Callable[[ModelProto], bool]


def imported(model: Any, context: DojoContext, options: Options) -> ModuleOp | Failure:
    """The module of a model, or how its import fails."""
    try:
        return read_model(model, context, options.shapes)
    except Exception as error:
        return Failure.of(error)


def reduced_onnx(model: ModelProto, fails: Fails) -> ModelProto:
    """The model, made smaller as long as it fails as the first did."""
    model = with_known_types(model)
    while True:
        for smaller in smaller_models(model):
            if weight(smaller) < weight(model) and fails(smaller):
                model = smaller
                break
        else:
            return model


def with_known_types(model: ModelProto) -> ModelProto:
    """With the types that ONNX's shape inference finds, or as it is where that fails."""
    try:
        return onnx.shape_inference.infer_shapes(model)
    except Exception:  # the model may be broken in any way: that is why it is reduced
        return model


def weight(model: ModelProto) -> tuple[int, int, int]:
    graph = model.graph
    return len(graph.node), len(graph.output), len(graph.input) + len(graph.initializer)


def smaller_models(model: ModelProto) -> Iterator[ModelProto]:
    """Those that leave out most first."""
    nodes, outputs = list(model.graph.node), list(model.graph.output)
    if len(outputs) > 1:
        for output in outputs:
            yield rebuilt(model, nodes, [output])
    step = len(nodes)
    while step > 0:
        for start in range(0, len(nodes), step):
            kept = [*nodes[:start], *nodes[start + step :]]
            yield rebuilt(model, kept, outputs)
            yield rebuilt(model, kept, [])
        step //= 2


def rebuilt(
    model: ModelProto, nodes: Sequence[NodeProto], outputs: Sequence[ValueInfoProto]
) -> ModelProto:
    """The model of these nodes: what none of them makes is an input, and what none of them reads
    an output, where its type is known."""
    types = {row.name: row for row in (*model.graph.value_info, *model.graph.output)}
    types |= {row.name: row for row in model.graph.input}
    made = {name for node in nodes for name in node.output if name}
    read = dict.fromkeys(name for node in nodes for name in node.input if name)
    results = [row for row in outputs if row.name in made]
    if not results:
        results = [
            types[name] for name in dict.fromkeys(made) if name not in read and name in types
        ]
    held = {row.name for row in model.graph.initializer}
    missing = [name for name in read if name not in made and name not in held]
    copy = ModelProto()
    copy.CopyFrom(model)
    graph: GraphProto = copy.graph
    for field in ("node", "input", "output", "initializer"):
        graph.ClearField(field)
    graph.node.extend(nodes)
    graph.input.extend(types[name] for name in missing if name in types)
    graph.output.extend(sorted(results, key=lambda row: row.name))
    graph.initializer.extend(row for row in model.graph.initializer if row.name in read)
    return copy
